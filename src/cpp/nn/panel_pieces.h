// How a team shares the numbers of a matrix where each thread takes some of its columns.
#pragma once

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernel_table.h"

namespace fastmlp {

/// A matrix (rows, cols) in pieces, one panel of `width` columns after the other: a panel of many
/// rows is several, and so is one of few panels, for two threads to halve five.
class PanelPieces {
 public:
  PanelPieces(Index rows, Index cols, Index width)
      : rows_(rows), cols_(cols), width_(width), panels_(ceil_div(cols, width)) {
    constexpr Index tall = 128;
    constexpr Index enough = 32;
    const Index wanted = std::max(rows / tall, enough / panels_);
    per_panel_ = std::clamp(wanted, Index{1}, ceil_div(rows, kMaskRows));
  }

  Index count() const { return panels_ * per_panel_; }
  Index per_panel() const { return per_panel_; }
  /// How many numbers these pieces have.
  Index size(Range pieces) const { return before(pieces.end) - before(pieces.begin); }

  /// Calls visit(rows, columns) for the rectangles that they are made of, three at most.
  template <class Visit>
  void for_each(Range pieces, Visit visit) const {
    const auto some = [&](Index panel, Index panel_end, Index begin, Index end) {
      const Index to = min_index(panel_end * width_, cols_);
      visit(Range{row(begin), row(end)}, Columns{panel * width_, to, to == cols_});
    };
    Index panel = pieces.begin / per_panel_;
    const Index last = pieces.end / per_panel_;
    Index begin = pieces.begin % per_panel_;
    const Index end = pieces.end % per_panel_;
    if (begin > 0 && panel < last) {
      some(panel, panel + 1, begin, per_panel_);
      ++panel;
      begin = 0;
    }
    if (panel < last) some(panel, last, 0, per_panel_);
    if (begin < end) some(last, last + 1, begin, end);
  }

 private:
  /// Where a piece of a panel begins.
  Index row(Index piece) const {
    return min_index(ceil_div(rows_, kMaskRows) * piece / per_panel_ * kMaskRows, rows_);
  }
  Index before(Index piece) const {
    const Index panel = piece / per_panel_;
    const Index begin = min_index(panel * width_, cols_);
    const Index its_width = min_index(width_, cols_ - begin);
    return rows_ * begin + row(piece % per_panel_) * its_width;
  }

  Index rows_;
  Index cols_;
  Index width_;
  Index panels_;
  Index per_panel_;
};

}  // namespace fastmlp
