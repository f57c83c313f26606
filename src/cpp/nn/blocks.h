// Whole data sets by blocks of rows that stay in the cache, on as many threads as there are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/balance.h"
#include "base/poll.h"
#include "nn/row_pass.h"
#include "nn/rules.h"

namespace fastmlp {

/// How a call ended. Where it is not kDone, what it has written is of no use.
enum class Outcome {
  kDone,
  kInputNotFinite,   // in the network's type
  kOutputNotFinite,  // inputs or weights too large for the sums of products
  kStopped,          // by the caller
};

/// What a prediction gives.
enum class Give {
  kOutputs,
  kLogits,         // what the last activation takes
  kProbabilities,  // outputs, none of them 0; of one that is logistic, those of no and of yes
};

/// Numbers that a prediction gives for a row.
template <class T>
Index width_of(const Network<T>& network, Give give) {
  const bool both = give == Give::kProbabilities && network.n_outputs() == 1;
  return both ? 2 : network.n_outputs();
}

/// Copies cols of each row into a matrix without padding.
template <class T, class Out>
void unpad(const T* from, Index ld, Index rows, Index cols, Out* to) {
  if (cols == 1) {  // for which calls of memcpy took 3 % of a prediction of 8-32-32-1
    for (Index r = 0; r < rows; ++r) to[r] = static_cast<Out>(from[r * ld]);
    return;
  }
  for (Index r = 0; r < rows; ++r) {
    if constexpr (std::is_same_v<T, Out>) {
      std::memcpy(to + r * cols, from + r * ld, sizeof(T) * static_cast<std::size_t>(cols));
    } else {
      for (Index c = 0; c < cols; ++c) to[r * cols + c] = static_cast<Out>(from[r * ld + c]);
    }
  }
}

/// Operations of one forward pass of so many rows.
template <class T>
double forward_flops(const Network<T>& network, Index rows) {
  return network.flops_per_row() * static_cast<double>(rows);
}

/// Lets the first layer read these rows, where they lie or gathered. Returns whether all numbers
/// are finite in the network's type.
template <class T>
bool take_in(const Network<T>& network, Workspace<T>& ws, const TableView& x, Range rows) {
  const bool in_place = read_in_place(network, ws, x, rows.begin);
  if (!in_place) gather_inputs(network, ws, x, nullptr, rows.begin, {0, rows.size()});
  const T* input = in_place ? ws.layer(0).x : ws.x;
  const Index ld_input = in_place ? ws.layer(0).ldx : ws.ldx;
  return network.kernels().all_finite({input, ld_input, rows.size(), network.n_features()});
}

/// Calls visit(workspace, first row, rows) behind a forward pass of each block of rows, on up to
/// `threads` threads; it returns false where what it finds is not finite. With `logits` the last
/// activation is left out.
template <class T, class Visit>
Outcome forward_blocks(const Network<T>& network, const TableView& x, Pass pass,
                       const MaskKey* masks, bool logits, int threads, Poll& poll, Visit visit) {
  std::atomic<Outcome> outcome{Outcome::kDone};
  const auto team_size = static_cast<int>(min_index(threads, ceil_div(x.rows, 16)));
  const Index equal = min_index(x.rows, round_up(ceil_div(x.rows, team_size), kMaskRows));
  const double row_flops = network.flops_per_row();
  const Index block = min_index(equal, block_rows(row_flops, kFlopsBetweenPolls));
  const bool several = team_size > 1 && equal > block;
  Pieces pieces(x.rows, kMaskRows, several ? min_index(kFewBlockRows, block) : block, block,
                team_size);
  const auto serve = [&](Workspace<T>& ws, int rank) noexcept {
    Index before = 0;
    for (Range piece = pieces.next(); piece.size() > 0; piece = pieces.next()) {
      if (before > 0 && poll.after(row_flops * static_cast<double>(before), rank)) {
        outcome = Outcome::kStopped;
      }
      if (outcome != Outcome::kDone) return;
      const Index first = piece.begin;
      const Index rows = before = piece.size();
      if (!take_in(network, ws, x, piece)) outcome = Outcome::kInputNotFinite;
      const MaskKey key = masks ? MaskKey{masks->seed, masks->step, first} : MaskKey{};
      forward_rows(network, ws, {0, rows}, masks ? &key : nullptr, logits);
      if (!visit(ws, first, rows) && outcome == Outcome::kDone) {
        outcome = Outcome::kOutputNotFinite;
      }
    }
  };

  if (team_size == 1) {
    Workspace<T> ws(network, pass, block, 1);
    auto body = [&](int rank) noexcept { serve(ws, rank); };
    crowd(1, body);
    return outcome;
  }
  std::vector<std::unique_ptr<Workspace<T>>> workspaces;
  for (int i = 0; i < team_size; ++i) {
    workspaces.push_back(std::make_unique<Workspace<T>>(network, pass, block, 1));
  }
  auto body = [&](int rank) noexcept { serve(*workspaces[static_cast<std::size_t>(rank)], rank); };
  crowd(team_size, body);
  return outcome;
}

}  // namespace fastmlp
