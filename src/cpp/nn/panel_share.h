// How a team shares the numbers of a matrix where each thread takes some of its columns.
#pragma once

#include "base/parallel.h"
#include "kernels/kernel_table.h"

namespace fastmlp {

/// A part of a matrix (rows, cols), which goes through its panels of `width` columns one after the
/// other. Neighbours share the panel where they meet by its rows: two threads halve five panels.
class PanelShare {
 public:
  PanelShare(Index rows, Index cols, Index width, Part part)
      : rows_(rows), cols_(cols), width_(width), begin_(cut(part.begin)), end_(cut(part.end)) {}

  /// How many numbers it has.
  Index size() const { return before(end_) - before(begin_); }

  /// Calls visit(rows, columns) for the rectangles that it is made of, three at most.
  template <class Visit>
  void for_each(Visit visit) const {
    Cut at = begin_;
    if (at.row > 0 && at.panel < end_.panel) {
      visit(Range{at.row, rows_}, columns(at.panel, at.panel + 1));
      at = {at.panel + 1, 0};
    }
    if (at.panel < end_.panel) visit(Range{0, rows_}, columns(at.panel, end_.panel));
    const Range rest{at.panel == end_.panel ? at.row : 0, end_.row};
    if (rest.size() > 0) visit(rest, columns(end_.panel, end_.panel + 1));
  }

 private:
  struct Cut {
    Index panel;
    Index row;
  };

  /// The cut nearest to `position`, from 0 to 1.
  Cut cut(double position) const {
    const double at = position * static_cast<double>(rows_ * cols_);
    const Index panel = min_index(static_cast<Index>(at) / (rows_ * width_), (cols_ - 1) / width_);
    const double in_panel = (at - static_cast<double>(before({panel, 0}))) /
                            static_cast<double>(rows_ * its_width(panel));
    const Index row = share(rows_, kMaskRows, {0.0, in_panel}).end;
    return row < rows_ ? Cut{panel, row} : Cut{panel + 1, 0};
  }
  Index before(Cut cut) const {
    return rows_ * min_index(cut.panel * width_, cols_) + cut.row * its_width(cut.panel);
  }
  Index its_width(Index panel) const { return min_index(width_, cols_ - panel * width_); }
  Columns columns(Index panel, Index end) const {
    const Index to = min_index(end * width_, cols_);
    return {panel * width_, to, to == cols_};
  }

  Index rows_;
  Index cols_;
  Index width_;
  Cut begin_;
  Cut end_;
};

}  // namespace fastmlp
