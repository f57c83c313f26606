#include "nn/column_pass.h"

#include <algorithm>
#include <cmath>

#include "nn/row_pass.h"
#include "nn/rules.h"

namespace fastmlp {

namespace {

/// How a team shares the numbers of a matrix (rows, cols) where each thread takes some of its
/// columns: in pieces, one panel of `width` columns after the other. A panel of many rows is
/// several, and so is one of few panels, for two threads to halve five.
class PanelPieces {
 public:
  PanelPieces(Index rows, Index cols, Index width)
      : rows_(rows), cols_(cols), width_(width), panels_(ceil_div(cols, width)) {
    per_panel_ = pieces_of_panel(rows, panels_);
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

}  // namespace

template <class T>
void forward_columns(const Network<T>& network, Workspace<T>& ws, Index rows, const MaskKey* masks,
                     bool logits, Turn& turn, const Team& team) noexcept {
  for (Index i = 0; i < ws.layer_count(); ++i) {
    const DenseLayer& layer = network.layers()[static_cast<std::size_t>(i)];
    const bool last = i + 1 == ws.layer_count();
    const bool without_activation = (last && logits) || is_row_wise(layer.activation());
    const PanelPieces y(rows, layer.shape.out, layer.shape.width);
    const double flops = product_flops(layer.shape, rows);
    turn.share_pieces(share(y.count(), 1, turn.part()), y.per_panel(), flops, [&](Range pieces) {
      y.for_each(pieces, [&](Range block, const Columns& columns) {
        forward_layer(network, ws, i, block, columns, without_activation);
        if (!last) change_input(network, ws, i + 1, block, columns, masks);
      });
      return static_cast<double>(y.size(pieces) * layer.shape.in);
    });
    team.barrier();
  }
  if (logits || !is_row_wise(network.layers().back().activation())) return;
  activate_rows(network, ws, ws.layer_count() - 1, share(rows, row_grain(network), turn.part()));
}

template <class T>
bool train_columns(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                   double weight_sum, const LossPlan& loss, const MaskKey* masks, Turn& turn,
                   const Team& team) noexcept {
  const Range mine = share(batch.rows, row_grain(network), turn.part());
  gather_batch(network, ws, batch, weight_sum, loss, mine);
  change_input(network, ws, 0, mine, whole_row(network.n_features()), masks);
  team.barrier();
  forward_columns(network, ws, batch.rows, masks, loss.on_logits, turn, team);
  loss_rows(network, ws, loss, mine);
  return std::isfinite(sum_of_losses(ws, mine));
}

template <class T>
void backward_columns(const Network<T>& network, const Workspace<T>& ws, Index layer, Index rows,
                      const MaskKey* masks, Turn& turn, int rank) noexcept {
  const PanelShape& shape = network.layers()[static_cast<std::size_t>(layer)].shape;
  const PanelPieces dx(rows, shape.in, shape.width);
  const double flops = product_flops(shape, rows);
  turn.share_pieces(share(dx.count(), 1, turn.part()), dx.per_panel(), flops, [&](Range pieces) {
    dx.for_each(pieces, [&](Range block, const Columns& columns) {
      backward_layer(network, ws, layer, block, columns, masks, rank);
    });
    return static_cast<double>(dx.size(pieces) * shape.out / rows);
  });
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
  template void forward_columns<T>(const Network<T>&, Workspace<T>&, Index, const MaskKey*, bool, \
                                   Turn&, const Team&) noexcept;                                  \
  template bool train_columns<T>(const Network<T>&, Workspace<T>&, const Batch&, double,          \
                                 const LossPlan&, const MaskKey*, Turn&, const Team&) noexcept;   \
  template void backward_columns<T>(const Network<T>&, const Workspace<T>&, Index, Index,         \
                                    const MaskKey*, Turn&, int) noexcept;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
