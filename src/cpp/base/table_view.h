// The caller's data as it lies in memory: a table of any numeric type and any strides, never
// copied whole. `gather_rows` converts the rows that are needed, when they are needed.
#pragma once

#include "base/base.h"

namespace fastmlp {

/// Element types of a table. DTYPE(name, C++ type)
#define FASTMLP_DTYPES(DTYPE)   \
  DTYPE(kFloat32, float)        \
  DTYPE(kFloat64, double)       \
  DTYPE(kBool, bool)            \
  DTYPE(kInt8, std::int8_t)     \
  DTYPE(kInt16, std::int16_t)   \
  DTYPE(kInt32, std::int32_t)   \
  DTYPE(kInt64, std::int64_t)   \
  DTYPE(kUInt8, std::uint8_t)   \
  DTYPE(kUInt16, std::uint16_t) \
  DTYPE(kUInt32, std::uint32_t) \
  DTYPE(kUInt64, std::uint64_t)

enum class DType {
#define DTYPE(name, type) name,
  FASTMLP_DTYPES(DTYPE)
#undef DTYPE
};

struct TableView {
  const void* data = nullptr;
  DType dtype = DType::kFloat64;
  Index rows = 0;
  Index cols = 0;
  Index row_stride = 0;  // in bytes
  Index col_stride = 0;
  const void* row_starts =
      nullptr;                    // of a table in compressed sparse rows: `data` holds what is not
  const void* columns = nullptr;  // zero, row i from row_starts[i] on, and `columns` where it is
  Index stored = 0;               // numbers in `data` of such a table
  bool wide_indices = false;      // 64 bits each instead of 32
  Index one_hot = 0;  // if positive, the one column holds class labels, expanded to so many columns
  const Index* subset = nullptr;  // if given, row i is row subset[i] of what lies there

  bool sparse() const { return row_starts != nullptr; }
  Index width() const { return one_hot > 0 ? one_hot : cols; }
  Index row(Index i) const { return subset ? subset[i] : i; }
  explicit operator bool() const { return data != nullptr; }
};

/// `table` as a matrix of T with whole rows in place, or null where it has to be gathered.
template <class T>
const T* in_place(const TableView& table);

/// Row i of `to` = row order[first + i] of the table (row first + i where order is null), converted
/// to T. Between the last column and ldto nothing but zeros is written, and behind the last row
/// nothing. Indices and labels that lead outside, because somebody has changed them since they were
/// checked, are passed over.
template <class T>
void gather_rows(const TableView& table, const Index* order, Index first, Index rows, T* to,
                 Index ldto) noexcept;

}  // namespace fastmlp
