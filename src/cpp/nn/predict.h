// A network at work on many rows: predictions, and every layer's values.
#pragma once

#include "nn/blocks.h"

namespace fastmlp {

/// to(rows, width_of()) = what is wanted of every row of x; with `masks`, of the network thinned by
/// random dropout masks. Where Out is wider than T, the last activation works in it too, so that
/// probabilities add up to 1 as exactly as their type can tell. `threads` 0 means all.
template <class T, class Out>
Outcome predict(const Network<T>& network, const TableView& x, const MaskKey* masks, Give give,
                int threads, Poll& poll, Out* to);

/// Every layer's pre-activations zs[l] and activations ys[l], each (rows, units of layer l).
template <class T>
Outcome inspect(const Network<T>& network, const TableView& x, int threads, Poll& poll,
                T* const* zs, T* const* ys);

}  // namespace fastmlp
