#include "nn/encoder.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>

namespace fastmlp {

namespace {

[[noreturn]] void refuse(const EncodingSpec& spec, const char* what) {
  throw std::invalid_argument("encoding of column " + std::to_string(spec.column) + ": " + what);
}

bool are_finite(const std::vector<double>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
}

void check(const EncodingSpec& spec, Index columns) {
  if (spec.column < 0 || spec.column >= columns) refuse(spec, "there is no such column");
  if (!are_finite(spec.first) || !are_finite(spec.second) || !std::isfinite(spec.scale)) {
    refuse(spec, "its numbers must be finite");
  }
  switch (spec.kind) {
    case Encoding::kBins:
      if (spec.first.size() < 2) refuse(spec, "bins need at least two edges");
      if (std::adjacent_find(spec.first.begin(), spec.first.end(), std::greater_equal<>()) !=
          spec.first.end()) {
        refuse(spec, "the edges of bins must ascend");
      }
      break;
    case Encoding::kPeriodic:
      if (spec.first.empty() || spec.first.size() != spec.second.size()) {
        refuse(spec, "frequencies and phases must be as many, and at least one");
      }
      break;
    case Encoding::kOneHot:
      if (spec.codes < 1 || spec.codes > (Index{1} << 24)) {  // beyond, floats skip numbers
        refuse(spec, "codes must be from 1 to 16777216");
      }
      break;
    default:
      break;
  }
}

/// The number, or 0 where it is missing.
template <class T>
T present(T x) {
  return x == x ? x : T{0};
}

}  // namespace

Index EncodingSpec::width() const {
  switch (kind) {
    case Encoding::kBins:
      return static_cast<Index>(first.size()) - 1;
    case Encoding::kPeriodic:
      return static_cast<Index>(first.size());
    case Encoding::kOneHot:
      return codes;
    default:
      return 1;
  }
}

template <class T>
Encoder<T>::Encoder(Index columns, const std::vector<EncodingSpec>& specs, bool learns_waves,
                    double scale_rate)
    : columns_(columns), scale_rate_(static_cast<T>(scale_rate)) {
  if (columns < 1) throw std::invalid_argument("a table needs at least one column");
  if (!(scale_rate >= 0.0 && scale_rate <= 1e3)) {
    throw std::invalid_argument("scale_rate must be from 0 to 1000");
  }
  const auto add = [&](const EncodingSpec& spec) {
    check(spec, columns);
    places_.push_back({spec.kind, spec.column, width_, spec.width(),
                       static_cast<Index>(numbers_.size()), static_cast<T>(spec.scale)});
    width_ += spec.width();
  };
  std::vector<double> waves[2];
  for (const EncodingSpec& spec : specs) {
    if (spec.kind != Encoding::kPeriodic) continue;
    add(spec);
    waves[0].insert(waves[0].end(), spec.first.begin(), spec.first.end());
    waves[1].insert(waves[1].end(), spec.second.begin(), spec.second.end());
  }
  periodic_ = width_;
  for (const EncodingSpec& spec : specs) {
    if (spec.kind == Encoding::kPeriodic) continue;
    add(spec);
    if (spec.kind != Encoding::kBins) continue;
    for (std::size_t i = 0; i + 1 < spec.first.size(); ++i) {
      numbers_.push_back(static_cast<T>(spec.first[i]));
    }
    for (std::size_t i = 0; i + 1 < spec.first.size(); ++i) {
      numbers_.push_back(static_cast<T>(1.0 / (spec.first[i + 1] - spec.first[i])));
    }
  }
  if (width_ < 1) throw std::invalid_argument("a table needs at least one encoding");
  learns_waves_ = learns_waves && periodic_ > 0;
  start_.assign(static_cast<std::size_t>(param_count()), T{0});
  if (scales()) std::fill_n(start_.begin(), width_, T{1} / scale_rate_);
  const auto to = [](double x) { return static_cast<T>(x); };
  std::transform(waves[0].begin(), waves[0].end(), start_.begin() + frequencies(), to);
  std::transform(waves[1].begin(), waves[1].end(), start_.begin() + phases(), to);
}

template <class T>
void Encoder<T>::encode_column(const Place& place, const T* raw, Index ldraw, Index rows, T* x,
                               Index ldx) const noexcept {
  const T* from = raw + place.column;
  T* to = x + place.at;
  switch (place.kind) {
    case Encoding::kScaled:
      for (Index r = 0; r < rows; ++r) {
        constexpr T far = T{1e15};  // whose square is finite
        const T value = std::clamp(present(from[r * ldraw]), -far, far);
        const T third = value / T{3};
        to[r * ldx] = value / std::sqrt(T{1} + third * third);
      }
      return;
    case Encoding::kBins: {
      const T* edges = numbers_.data() + place.numbers;
      const T* inverse = edges + place.width;
      for (Index r = 0; r < rows; ++r) {
        const T value = present(from[r * ldraw]);
        T* row = to + r * ldx;
        for (Index c = 0; c < place.width; ++c) {
          const T part = (value - edges[c]) * inverse[c];
          row[c] = part > T{0} ? (part < T{1} ? part : T{1}) : T{0};
        }
      }
      return;
    }
    case Encoding::kOneHot:
      for (Index r = 0; r < rows; ++r) {
        const T code = from[r * ldraw];
        T* row = to + r * ldx;
        std::fill_n(row, place.width, T{0});
        // NaN is in no range, and what lies between codes is cut off.
        if (code >= T{0} && code < static_cast<T>(place.width)) {
          row[static_cast<Index>(code)] = place.scale;
        }
      }
      return;
    case Encoding::kMissing:
      for (Index r = 0; r < rows; ++r) {
        const T value = from[r * ldraw];
        to[r * ldx] = value == value ? T{0} : T{1};
      }
      return;
    case Encoding::kPeriodic:
      return;
  }
}

template <class T>
void Encoder<T>::encode(const Kernels<T>& kernels, const T* raw, Index ldraw, Index rows,
                        const T* params, const EncoderTrace<T>& trace, T* x,
                        Index ldx) const noexcept {
  T* plain = trace.plain ? trace.plain : x;
  const Index ldplain = trace.plain ? trace.ldplain : ldx;
  T* turns = trace.turns ? trace.turns : plain;
  const Index ldturns = trace.turns ? trace.ldturns : ldplain;
  for (const Place& place : places_) {
    if (place.kind != Encoding::kPeriodic) break;
    const T* frequency = params + frequencies() + place.at;
    const T* phase = params + phases() + place.at;
    for (Index r = 0; r < rows; ++r) {
      const T value = present(raw[r * ldraw + place.column]);
      T* row = turns + r * ldturns + place.at;
      for (Index c = 0; c < place.width; ++c) row[c] = value * frequency[c] + phase[c];
    }
  }
  if (periodic_ > 0) {
    kernels.periodic({turns, ldturns, plain, ldplain, rows, periodic_});
    for (Index r = 0; r < rows; ++r) {  // cosines behind the last
      T* row = plain + r * ldplain;
      std::fill(row + periodic_, row + round_up(periodic_, kernels.lanes), T{0});
    }
  }
  for (const Place& place : places_) encode_column(place, raw, ldraw, rows, plain, ldplain);
  if (!scales()) return;
  for (Index r = 0; r < rows; ++r) {
    const T* from = plain + r * ldplain;
    T* to = x + r * ldx;
    for (Index c = 0; c < width_; ++c) to[c] = from[c] * (params[c] * scale_rate_);
  }
}

template <class T>
void Encoder<T>::differentiate(const Kernels<T>& kernels, const T* raw, Index ldraw, Index rows,
                               const T* params, const EncoderTrace<T>& trace, T* gradient,
                               Index ldgradient) const noexcept {
  const Index wanted = wanted_inputs();
  for (Index r = 0; r < rows; ++r) {
    T* row = gradient + r * ldgradient;
    T* by_inputs = row + gradient_place();
    std::fill(by_inputs + wanted, by_inputs + section(wanted), T{0});  // of the last panel
    if (!scales()) continue;
    const T* plain = trace.plain + r * trace.ldplain;
    if (learns_waves_) {
      T* by_cosines = row + phases();
      for (Index c = 0; c < periodic_; ++c) by_cosines[c] = row[c] * (params[c] * scale_rate_);
    }
    for (Index c = 0; c < width_; ++c) row[c] *= plain[c] * scale_rate_;
  }
  if (!learns_waves_) return;
  kernels.periodic_slope(
      {trace.turns, trace.ldturns, gradient + phases(), ldgradient, rows, periodic_});
  for (const Place& place : places_) {
    if (place.kind != Encoding::kPeriodic) break;
    for (Index r = 0; r < rows; ++r) {
      const T value = present(raw[r * ldraw + place.column]);
      const T* by_phases = gradient + r * ldgradient + phases() + place.at;
      T* by_frequencies = gradient + r * ldgradient + frequencies() + place.at;
      for (Index c = 0; c < place.width; ++c) by_frequencies[c] = value * by_phases[c];
    }
  }
}

template class Encoder<float>;
template class Encoder<double>;

}  // namespace fastmlp
