// Where the rows of an epoch come from: memory, or a window of them after the other.
#pragma once

#include "base/table_view.h"

namespace fastmlp {

/// One data set: inputs, targets, and weights if any.
struct DataView {
  TableView x;
  TableView t;
  TableView weight;
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  /// How many rows an epoch has.
  virtual Index rows() const = 0;
  /// A window of an epoch's rows, both counted from 0; null behind the last one. It is looked into
  /// until the next call. Outside parallel regions, and may throw.
  virtual const DataView* window(Index epoch, Index number) = 0;
  /// Behind the last window of a run, however it ended: its memory is for others.
  virtual void close() noexcept {}
};

/// Rows that all lie in memory.
class InMemory final : public RowSource {
 public:
  explicit InMemory(const DataView& data) : data_(data) {}
  Index rows() const override { return data_.x.rows; }
  const DataView* window(Index /*epoch*/, Index number) override {
    return number == 0 ? &data_ : nullptr;
  }

 private:
  DataView data_;
};

}  // namespace fastmlp
