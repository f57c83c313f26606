// Aligned memory: a buffer that owns, and an arena that plans several arrays in one buffer.
// Sizes are checked in 64 bits. Every allocation is counted, so that a test can show that a
// training step makes none.
#pragma once

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/base.h"

namespace fastmlp {

inline constexpr Index kAlignment = 64;  // a cache line, and the widest vector

/// Leading dimension of a matrix that kernels work on: a multiple of 16 numbers, which is whole
/// vectors on every target (masks come in vectors of up to 16 lanes of 32 bits, for doubles too),
/// and never of 1 KB, because rows 4 KB apart share cache sets (75 % of the speed at 1024 floats,
/// in a prototype on Zen 5).
template <class T>
constexpr Index padded_ld(Index cols) {
  const Index quarter_page = 1024 / static_cast<Index>(sizeof(T));
  const Index ld = round_up(cols, 16);
  return ld % quarter_page == 0 ? ld + 16 : ld;
}

/// Allocations made by AlignedBuffer since the library was loaded.
std::uint64_t allocation_count() noexcept;

/// a * b, both non-negative; throws std::length_error where the product leaves 64 bits.
Index checked_mul(Index a, Index b);

namespace detail {
/// Zeroed memory. Large arrays are asked for in huge pages (see kManyPages), which the system
/// zeroes as they are first touched: by the threads that use them.
void* allocate_zeroed(Index bytes);
void free_zeroed(void* p, Index bytes) noexcept;
}  // namespace detail

/// Owns `size` numbers, zeroed, aligned to a cache line.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(Index size)
      : data_(static_cast<T*>(detail::allocate_zeroed(checked_mul(size, sizeof(T)))), Free{size}) {}

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  Index size() const { return data_.get_deleter().size; }

 private:
  struct Free {
    Index size = 0;
    void operator()(T* p) const noexcept {
      detail::free_zeroed(p, size * static_cast<Index>(sizeof(T)));
    }
  };
  std::unique_ptr<T[], Free> data_;
};

/// Plans arrays first (`reserve`), then makes them all at once (`commit`).
template <class T>
class Arena {
 public:
  /// Asks for `size` numbers; `*where` is set by commit().
  void reserve(Index size, T** where) {
    if (pieces_.empty()) pieces_.reserve(32);
    pieces_.push_back({total_, where});
    total_ += round_up(size, kAlignment);
  }
  void commit() {
    buffer_ = AlignedBuffer<T>(total_);
    for (const Piece& piece : pieces_) *piece.where = buffer_.data() + piece.offset;
  }

 private:
  struct Piece {
    Index offset;
    T** where;
  };
  std::vector<Piece> pieces_;
  Index total_ = 0;
  AlignedBuffer<T> buffer_;
};

}  // namespace fastmlp
