// The values of a graph: scalars, vectors and matrices, all stored as matrices with padded rows, as
// the kernels read them. A scalar is 1 x 1 and a vector of n numbers is one row, 1 x n, which makes
// NumPy's broadcasting a matter of rows and columns of length one.
#pragma once

#include <cstring>

#include "base/buffer.h"

namespace fastmlp::graph {

/// The shape that the user sees.
struct Shape {
  int ndim = 0;
  Index rows = 1;
  Index cols = 1;

  bool operator==(const Shape& other) const {
    return ndim == other.ndim && rows == other.rows && cols == other.cols;
  }
  double size() const { return static_cast<double>(rows) * static_cast<double>(cols); }
};

/// "()", "(3,)" or "(2, 3)".
inline std::string to_string(const Shape& shape) {
  if (shape.ndim == 0) return "()";
  const std::string cols = std::to_string(shape.cols);
  if (shape.ndim == 1) return "(" + cols + ",)";
  return "(" + std::to_string(shape.rows) + ", " + cols + ")";
}

template <class T>
struct View {
  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index ld = 0;

  T* row(Index r) const { return data + r * ld; }
};

/// Owns a matrix. Numbers behind the last column are zero after resize() and must stay finite; in
/// gradients they must stay zero.
template <class T>
class Matrix {
 public:
  /// Zeroes the numbers where the shape changes; allocates only where the room does not suffice.
  void resize(Index rows, Index cols) {
    if (rows == view_.rows && cols == view_.cols) return;
    const Index ld = padded_ld<T>(cols);
    const Index size = checked_mul(rows, ld);
    if (size > buffer_.size()) {
      view_ = {};
      buffer_ = AlignedBuffer<T>(size);
    } else {
      std::memset(buffer_.data(), 0, static_cast<std::size_t>(size) * sizeof(T));
    }
    view_ = {buffer_.data(), rows, cols, ld};
  }
  const View<T>& view() const { return view_; }
  /// Numbers from the first to the end of the last row, padding included.
  Index flat_size() const { return view_.rows * view_.ld; }

 private:
  AlignedBuffer<T> buffer_;
  View<T> view_;
};

}  // namespace fastmlp::graph
