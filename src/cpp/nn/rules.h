// What shapes decide: how weights lie, how a team shares a step, in what pieces. Pure functions;
// what decides the order of a sum depends on shapes alone, and never on the number of threads. The
// measurements behind the numbers: docs/measurements/rules.md.
#pragma once

#include <algorithm>

#include "nn/batch.h"
#include "nn/network.h"

namespace fastmlp {

// How weights lie

/// Whether a layer keeps its weights transposed, and multiplies whole vectors of inputs, instead of
/// spreading every input over the lanes: what forward() does for a row, in products. Such a sum has
/// to be taken over the lanes, which costs four; so does beginning and storing a row of a panel.
constexpr bool is_narrow(Index in, Index out, Index lanes) {
  return out * (ceil_div(in, lanes) + 4) <= in + 4;
}

/// The shape of a network's layer.
constexpr PanelShape layer_shape(Index in, Index out, Index width, Index lanes) {
  return {in, out, width, lanes, is_narrow(in, out, lanes)};
}

// How a team shares a step

/// The operations of one of a layer's three products.
inline double product_flops(const PanelShape& shape, Index rows) {
  return 2.0 * static_cast<double>(rows * param_size(shape));
}

/// Whether a step with so many rows goes by chunks of rows (train/by_chunks.h): where everything
/// stays in a core's cache, and the batch is worth being cut.
template <class T>
bool suits_chunks(const Network<T>& network, Index rows) {
  constexpr Index kFewestChunkedRows = 96;
  constexpr Index kSmallNetwork = 20480;  // parameters, in L1 or L2 beside the activations
  if (network.encoder()) return false;    // tables go by rows, one network to a thread
  return rows >= kFewestChunkedRows && network.flat_size() <= kSmallNetwork;
}

/// Whether a layer, hidden or the output, needs whole rows where threads share columns.
inline bool takes_whole_rows(const DenseLayer& layer, bool hidden) {
  return (hidden && is_row_wise(layer.activation())) || layer.normalizes();
}

/// Whether a team shares the columns of a step with so many rows (nn/column_pass.h): where there
/// are more weights than values in the layers' inputs, and enough of them to make up for a barrier
/// behind each layer.
template <class T>
bool suits_columns(const Network<T>& network, Index rows) {
  constexpr Index kWideLayer = 32768;  // weights of a layer, on average
  if (network.encoder()) return false;
  const auto count = static_cast<Index>(network.layers().size());
  Index weights = 0;
  Index values = 0;
  for (const DenseLayer& layer : network.layers()) {
    if (takes_whole_rows(layer, &layer != &network.layers().back())) return false;
    weights += layer.shape.in * layer.shape.out;
    values += layer.shape.in;
  }
  return count > 1 && weights / values >= rows && weights >= count * kWideLayer;
}

/// Whether a step of so many operations is too long to be made to its end once the caller wants to
/// leave. Weights and optimizer must not be left half a step on, so it finishes its gradient first,
/// which can be given up, and then applies it.
inline bool is_long_step(double flops) { return flops > 32e9; }

/// Whether steps are worth timing, to give each thread a part by its speed: 5 us a thread, beside
/// four looks at a clock.
inline bool is_worth_timing(double flops, int threads) { return flops >= 5e5 * threads; }

// In what pieces rows go

/// Where ranges of rows may be cut: masks come in groups of eight rows.
template <class T>
Index row_grain(const Network<T>& network) {
  for (const DenseLayer& layer : network.layers()) {
    if (layer.drops()) return kMaskRows;
  }
  return 1;
}

/// Rows that go forward and backward together: 256 rows of 256 floats are a quarter of L2. Fewer
/// where they would keep a caller waiting who wants to leave, from 16 Gflop of floats on, or 8 of
/// doubles; but the transposed panels of backward_input are made once for all of them.
template <class T>
Index rows_at_once(double flops_per_row) {
  constexpr Index kMost = 256;
  constexpr Index kFewest = 64;
  constexpr double kBytes = 16e9 * sizeof(float);
  const double fitting = kBytes / (2 * flops_per_row * sizeof(T));
  if (fitting >= static_cast<double>(kMost)) return kMost;
  return std::max(kFewest, round_down(static_cast<Index>(fitting), 8));
}

/// Rows of a block of a prediction: 192 rows of 256 floats leave half of L2 to the weights. Of a
/// network with so many operations a row, as many as pass between two questions whether to stop.
inline Index block_rows(double row_flops, double flops_between_polls) {
  constexpr Index kMost = 192;
  const double most = flops_between_polls / row_flops;
  if (most >= static_cast<double>(kMost)) return kMost;
  return std::max(kMaskRows, round_down(static_cast<Index>(most), kMaskRows));
}

/// Where threads have several blocks each, these become smaller at the end, down to this, so that
/// threads end together.
inline constexpr Index kFewBlockRows = 32;

/// Whether a team copies so many parameters: from a millisecond's work for one thread on.
inline bool is_copied_by_team(Index parameters) { return parameters >= Index{1} << 20; }

/// Rows that a gradient over all rows takes at a time, so that its memory doesn't grow with them.
inline constexpr Index kGradientRows = 8192;

/// Rows of a chunk: two chunks; of more than 256 rows, as many of 128 as it takes, up to eight,
/// which threads of unequal speed share well; then eight of up to 512, the most that a gradient
/// takes in one product; then as many of 512 as it takes, until their gradients take up memory.
inline Index rows_of_chunk(Index batch, Index grain) {
  constexpr Index kMany = 8;
  constexpr Index kMost = 256;
  const Index rows = std::clamp(ceil_div(batch, kMany), Index{128}, kDepthBlock);
  const Index chunks = std::clamp(ceil_div(batch, rows), Index{2}, kMost);
  return round_up(ceil_div(batch, chunks), grain);
}

/// Chunks of so many rows that go through the layers together, where one thread has several.
inline Index chunks_at_once(Index rows) { return std::max<Index>(1, 256 / rows); }

/// Whether every thread makes the whole update by itself: where chunks are few, and their gradients
/// small enough for all threads to read.
inline bool suits_replicas(Index chunks, Index parameters) {
  constexpr Index kFew = 8;
  constexpr Index kMostOthers = 20480;  // numbers of other chunks' gradients
  return chunks < kFew && (chunks - 1) * parameters <= kMostOthers;
}

/// Pieces of a panel of so many, where a team shares the columns of layers: as many as there are
/// 128 rows, or as give the team 32 pieces to share.
inline Index pieces_of_panel(Index rows, Index panels) {
  const Index wanted = std::max(rows / 128, 32 / panels);
  return std::clamp(wanted, Index{1}, ceil_div(rows, kMaskRows));
}

// In what pieces weight gradients are taken

/// The most rows of a task; few large ones would leave threads idle at the barrier.
inline constexpr Index kMostTaskRows = 4 * kTaskRows;

/// Whether there are enough tasks to share even if those of a layer have kTaskRows rows.
template <class T>
bool has_many_tasks(const Network<T>& network) {
  Index count = 0;
  for (const DenseLayer& layer : network.layers()) {
    count += panel_count(layer.shape) * ceil_div(layer.shape.in, kTaskRows);
  }
  return count >= 48;
}

/// Rows of a layer's tasks, where there are many. Each row of tasks reads all of dz: one that fills
/// L2 by itself is read a quarter as often. Of a taller batch the columns of x would fill L2.
template <class T>
Index task_rows(const PanelShape& shape, Index rows) {
  constexpr Index kFarGradient = (Index{1} << 20) / static_cast<Index>(sizeof(T));
  constexpr Index kManyNumbers = (Index{3} << 19) / static_cast<Index>(sizeof(T));
  if (rows < ceil_div(kFarGradient, padded_out(shape))) return kTaskRows;
  Index at_once = kMostTaskRows;
  while (at_once > kTaskRows && at_once * rows > kManyNumbers) at_once /= 2;
  return at_once;
}

/// Whether a layer's tasks read their columns of x from a copy without gaps: with so many panels
/// making it costs little, and so many rows of x apart are more pages than the first TLB holds. One
/// of more rows would leave L2.
inline bool copies_columns(const PanelShape& shape, Index rows) {
  constexpr Index kMostRows = 8192;
  return panel_count(shape) >= 16 && shape.in >= 256 && rows <= kMostRows;
}

/// Whether, with so few rows, what is written to memory at the end of one task can be read for the
/// next one meanwhile.
template <class T>
bool fetches_tasks_ahead(const PanelShape& shape, Index rows) {
  return rows <= 32 && are_far<T>(shape);
}

// Predictions of few rows

/// Whether so few rows are read rather than computed: threads share the columns of so many
/// parameters, each of which then is read by one. Where the caller gives the number of threads they
/// may have to be woken, which takes longer than reading half a megabyte.
template <class T>
bool suits_shared_columns(const Network<T>& network, Index rows, bool asked_for_threads) {
  return rows <= 16 && network.flat_size() >= (asked_for_threads ? 1 << 20 : 1 << 17);
}

/// How many threads find columns in every hidden layer; none where one of them takes whole rows.
template <class T>
Index shared_panels(const Network<T>& network) {
  Index fewest = network.flat_size();
  for (std::size_t i = 0; i + 1 < network.layers().size(); ++i) {
    const DenseLayer& layer = network.layers()[i];
    if (takes_whole_rows(layer, true)) return 0;
    fewest = min_index(fewest, panel_count(layer.shape));
  }
  if (takes_whole_rows(network.layers().back(), false)) return 0;
  return network.layers().size() > 1 ? fewest : 0;
}

}  // namespace fastmlp
