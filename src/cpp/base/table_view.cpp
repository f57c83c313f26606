#include "base/table_view.h"

#include <cstring>
#include <type_traits>

namespace fastmlp {

namespace {

template <class From>
From element(const char* p) {
  From value;  // memcpy: a strided view need not be aligned
  std::memcpy(&value, p, sizeof(value));
  return value;
}

/// A call of memcpy takes as long as the copy of a short row.
template <class T>
void copy_row(const char* from, Index cols, T* to) {
  constexpr Index size = static_cast<Index>(sizeof(T));
  constexpr Index chunk = 16 / size;
  if (cols * size > 256) {
    std::memcpy(to, from, static_cast<std::size_t>(cols * size));
    return;
  }
  Index c = 0;
  for (; c + chunk <= cols; c += chunk) std::memcpy(to + c, from + c * size, 16);
  for (; c < cols; ++c) to[c] = element<T>(from + c * size);
}

template <class T, class From>
void convert_row(const char* from, Index stride, Index cols, T* to) {
  const bool contiguous = stride == static_cast<Index>(sizeof(From));
  if (contiguous && std::is_same_v<T, From>) {
    copy_row(from, cols, to);
  } else if (contiguous) {
    for (Index c = 0; c < cols; ++c) {
      to[c] = static_cast<T>(element<From>(from + c * static_cast<Index>(sizeof(From))));
    }
  } else {
    for (Index c = 0; c < cols; ++c) to[c] = static_cast<T>(element<From>(from + c * stride));
  }
}

/// The number as it was read, once: what is checked is then what is used, whoever writes there
/// meanwhile.
inline Index read_once(Index value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}

inline bool inside(Index i, Index n) {
  return static_cast<std::size_t>(i) < static_cast<std::size_t>(n);
}

/// Numbers in the same place add up, as they do in SciPy.
template <class T, class From, class Int>
void expand_row(const TableView& table, Index row, T* to) {
  const Int* starts = static_cast<const Int*>(table.row_starts);
  const Int* columns = static_cast<const Int*>(table.columns);
  const char* data = static_cast<const char*>(table.data);
  const Index begin = read_once(starts[row]);
  const Index end = min_index(read_once(starts[row + 1]), table.stored);
  for (Index i = begin < 0 ? end : begin; i < end; ++i) {
    const Index column = read_once(columns[i]);
    if (!inside(column, table.cols)) continue;
    to[column] += static_cast<T>(element<From>(data + i * table.col_stride));
  }
}

template <class T, class From>
void gather_sparse(const TableView& table, const Index* order, Index first, Index rows, T* to,
                   Index ldto) {
  for (Index i = 0; i < rows; ++i, to += ldto) {
    const Index row = table.row(order ? order[first + i] : first + i);
    std::memset(to, 0, static_cast<std::size_t>(table.cols) * sizeof(T));
    if (table.wide_indices) {
      expand_row<T, From, std::int64_t>(table, row, to);
    } else {
      expand_row<T, From, std::int32_t>(table, row, to);
    }
  }
}

/// The rows are cleared at once: a call for each takes longer than its few outputs.
template <class T, class From>
void gather_one_hot(const TableView& table, const Index* order, Index first, Index rows, T* to,
                    Index ldto) {
  if (rows <= 0) return;
  const Index cleared = (rows - 1) * ldto + table.one_hot;
  std::memset(to, 0, static_cast<std::size_t>(cleared) * sizeof(T));
  const char* data = static_cast<const char*>(table.data);
  for (Index i = 0; i < rows; ++i, to += ldto) {
    const char* row = data + table.row(order ? order[first + i] : first + i) * table.row_stride;
    const Index label = read_once(static_cast<Index>(element<From>(row)));
    if (inside(label, table.one_hot)) to[label] = T{1};
  }
}

template <class T, class From>
void gather(const TableView& table, const Index* order, Index first, Index rows, T* to,
            Index ldto) {
  if (table.sparse()) return gather_sparse<T, From>(table, order, first, rows, to, ldto);
  if (table.one_hot > 0) return gather_one_hot<T, From>(table, order, first, rows, to, ldto);
  const char* data = static_cast<const char*>(table.data);
  for (Index i = 0; i < rows; ++i, to += ldto) {
    const char* row = data + table.row(order ? order[first + i] : first + i) * table.row_stride;
    convert_row<T, From>(row, table.col_stride, table.cols, to);
  }
}

template <class T>
constexpr DType kDTypeOf = sizeof(T) == sizeof(float) ? DType::kFloat32 : DType::kFloat64;

}  // namespace

template <class T>
const T* in_place(const TableView& table) {
  const auto size = static_cast<Index>(sizeof(T));
  const bool aligned = reinterpret_cast<std::uintptr_t>(table.data) % alignof(T) == 0 &&
                       table.row_stride % size == 0 && table.row_stride >= 0;
  const bool whole_rows = table.col_stride == size || table.cols == 1;
  const bool fits = table.dtype == kDTypeOf<T> && table.one_hot == 0 && !table.sparse() &&
                    table.subset == nullptr;
  return fits && aligned && whole_rows ? static_cast<const T*>(table.data) : nullptr;
}

template <class T>
void gather_rows(const TableView& table, const Index* order, Index first, Index rows, T* to,
                 Index ldto) noexcept {
  switch (table.dtype) {
#define DTYPE(name, type) \
  case DType::name:       \
    return gather<T, type>(table, order, first, rows, to, ldto);
    FASTMLP_DTYPES(DTYPE)
#undef DTYPE
  }
}

template const float* in_place<float>(const TableView&);
template const double* in_place<double>(const TableView&);
template void gather_rows<float>(const TableView&, const Index*, Index, Index, float*,
                                 Index) noexcept;
template void gather_rows<double>(const TableView&, const Index*, Index, Index, double*,
                                  Index) noexcept;

}  // namespace fastmlp
