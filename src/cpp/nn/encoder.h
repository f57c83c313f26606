// From the columns of a table as they are to the inputs of the first layer, row by row of a batch,
// so that the table is never expanded in memory. NaN is a missing value, everywhere.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "base/table_view.h"
#include "kernels/dispatch.h"

namespace fastmlp {

/// What becomes of a column. Missing numbers count as 0, which is where a column of numbers is
/// expected to have its middle.
enum class Encoding {
  kScaled,    // x / sqrt(1 + (x / 3)^2): the number, with far ones drawn in
  kBins,      // piecewise linear: how far x is through each bin, from 0 to 1
  kPeriodic,  // cos(2 pi (frequency x + phase))
  kOneHot,    // of codes 0, 1, ...: `scale` where the code is the place; any other code is nowhere
  kMissing,   // 1 where the value is missing, else 0
};

struct EncodingSpec {
  Encoding kind;
  Index column;                // of the table
  std::vector<double> first;   // bins: their edges, ascending; periodic: the frequencies
  std::vector<double> second;  // periodic: the phases
  Index codes = 0;             // one-hot: how many
  double scale = 1.0;          // one-hot

  /// Inputs that it makes.
  Index width() const;
};

/// What differentiate() needs to know of rows that were encoded. Null where nothing is learned.
template <class T>
struct EncoderTrace {
  T* turns;  // what the cosines are taken of
  Index ldturns;
  T* plain;  // the inputs before they are scaled
  Index ldplain;
};

/// Its parameters are one row, in sections: a factor of each input, the frequencies, the phases.
template <class T>
class Encoder {
 public:
  /// Of tables with so many columns. `learns_waves`: frequencies and phases are trained with the
  /// weights. A positive `scale_rate`: so are factors of all inputs, by steps so many times those
  /// of the weights. Throws std::invalid_argument.
  Encoder(Index columns, const std::vector<EncodingSpec>& specs, bool learns_waves,
          double scale_rate);

  Index columns() const { return columns_; }
  /// Inputs of the first layer. Those that are periodic come first, each kind in the order given.
  Index width() const { return width_; }
  Index periodic() const { return periodic_; }
  bool learns() const { return learns_waves_ || scales(); }
  bool learns_waves() const { return learns_waves_; }
  bool scales() const { return scale_rate_ > T{0}; }
  T scale_rate() const { return scale_rate_; }
  /// Where the sections of the parameters begin, and how many numbers they have. Whole panels of
  /// every target.
  Index frequencies() const { return scales() ? section(width_) : 0; }
  Index phases() const { return frequencies() + section(periodic_); }
  Index param_count() const { return phases() + section(periodic_); }
  /// Inputs whose gradient is wanted: from the first on.
  Index wanted_inputs() const { return scales() ? width_ : periodic_; }
  /// Where in the row of parameters differentiate() finds that gradient.
  Index gradient_place() const { return scales() ? 0 : phases(); }
  /// The parameters that training begins with.
  const T* start() const { return start_.data(); }

  /// Rows of x(rows, ldx) from rows of `raw`.
  void encode(const Kernels<T>& kernels, const T* raw, Index ldraw, Index rows, const T* params,
              const EncoderTrace<T>& trace, T* x, Index ldx) const noexcept;

  /// Each row's part of the gradient by the parameters, in a row of `gradient` each, from that by
  /// the inputs, which lies there from gradient_place() on.
  void differentiate(const Kernels<T>& kernels, const T* raw, Index ldraw, Index rows,
                     const T* params, const EncoderTrace<T>& trace, T* gradient,
                     Index ldgradient) const noexcept;

 private:
  /// Where an encoding begins among the inputs, and its numbers in `numbers_`.
  struct Place {
    Encoding kind;
    Index column;
    Index at;
    Index width;
    Index numbers;  // bins: lower edges, then the inverse of their widths
    T scale;
  };

  static constexpr Index section(Index n) { return round_up(n, 64); }
  void encode_column(const Place& place, const T* raw, Index ldraw, Index rows, T* x,
                     Index ldx) const noexcept;

  Index columns_;
  Index width_ = 0;
  Index periodic_ = 0;
  bool learns_waves_;
  T scale_rate_;
  std::vector<Place> places_;
  std::vector<T> numbers_;
  std::vector<T> start_;
};

}  // namespace fastmlp
