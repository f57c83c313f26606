// The memory of one pass over a batch of rows, planned before it begins.
#pragma once

#include "base/buffer.h"
#include "nn/network.h"

namespace fastmlp {

/// The buffers of one dense layer. Rows are those of the batch.
template <class T>
struct LayerBuffers {
  const T* x;  // input: the layer below's y, or `changed`, or the caller's rows
  Index ldx;
  T* changed;  // input after normalisation and dropout; null where neither changes it
  Index ldchanged;
  T* z;  // pre-activations where the activation's slope needs them, or all are wanted; else null
  T* y;
  T* dz;      // null where only predicting; of an evaluation, the output layer's only
  Index ldy;  // of z, y and dz
};

enum class Pass {
  kPredict,         // forward only
  kWiden,           // forward only, and the output layer's values in double precision
  kSample,          // forward only, with random masks
  kInspect,         // forward only, every z kept
  kEvaluate,        // forward, and each row's loss
  kTrain,           // forward and backward
  kInputGradients,  // forward and backward to the inputs, at test time
};

template <class T>
class Workspace {
 public:
  /// Plans for up to `rows` rows at once, shared by up to `threads` threads.
  Workspace(const Network<T>& network, Pass pass, Index rows, int threads);
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  Index rows() const { return rows_; }
  LayerBuffers<T>& layer(Index i) { return layers_[static_cast<std::size_t>(i)]; }
  const LayerBuffers<T>& layer(Index i) const { return layers_[static_cast<std::size_t>(i)]; }
  Index layer_count() const { return static_cast<Index>(layers_.size()); }
  const LayerBuffers<T>& output() const { return layers_.back(); }

  T* x;  // gathered input rows
  Index ldx;
  T* raw;  // where the network has an encoder: rows of the table
  Index ldraw;
  EncoderTrace<T> trace;  // where the encoder learns
  T* dencoding;           // and each row's part of the gradient by its parameters
  Index lddencoding;
  T* dinput;  // the gradient by the inputs, where that is wanted
  Index lddinput;
  T* t;           // gathered targets, of ldt = output().ldy
  T* row_weight;  // weight of each row, divided by their sum
  T* row_loss;
  double* wide;  // values of the output layer, of ld output().ldy

  /// A thread's own scratch: a transposed panel, or the gradient tile of one task.
  T* scratch(int rank) const { return scratch_ + rank * scratch_size_; }
  /// Where a thread copies the columns of x of a row of tasks (nn/gradient.h), without
  /// gaps.
  T* columns(int rank) const { return columns_ + rank * columns_size_; }

 private:
  Index rows_;
  std::vector<LayerBuffers<T>> layers_;
  T* scratch_;
  Index scratch_size_;
  T* columns_;
  Index columns_size_;  // 0 where no layer's are copied
  Arena<T> arena_;
};

}  // namespace fastmlp
