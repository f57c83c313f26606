// A multilayer perceptron: its layers, and its parameters in one flat array of panels
// (kernels/panels.h). Plain (in, out) arrays exist only at import and export.
// A network is bound to the target that was in force when it was made.
#pragma once

#include <optional>
#include <vector>

#include "base/buffer.h"
#include "kernels/dispatch.h"
#include "nn/encoder.h"

namespace fastmlp {

/// Inverted dropout divides by the keep probability while training; classic dropout multiplies by
/// it at test time.
enum class DropoutMode { kInverted, kClassic };

/// The activation of some neighbouring units of a layer.
struct ActivationPart {
  Activation activation;
  Index units;
  double parameter;  // unused by an activation without one
};

/// A dense layer as the user states it, with what is done to its input: first it is normalised,
/// then dropped.
struct DenseSpec {
  std::vector<ActivationPart> parts;  // several where the activation differs within the layer
  double norm_epsilon = 0.0;          // of the normalisation of each row; 0 for none
  double input_dropout = 0.0;
  DropoutMode dropout_mode = DropoutMode::kInverted;
  double l1 = 0.0;
  double l2 = 0.0;

  Index units() const;
};

/// Whether an activation needs all columns of a row at once.
inline bool is_row_wise(Activation activation) { return row_of(activation).keeps == Keep::kRow; }

struct DenseLayer {
  DenseSpec spec;
  PanelShape shape;
  Index offset;          // of its first panel in the flat parameters
  Index learned_offset;  // of its activation's learned parameters, one per column
  Index learned_size;    // 0 where it has none

  bool mixes() const { return spec.parts.size() > 1; }
  /// The activation of all units; of a mix, the first.
  Activation activation() const { return spec.parts.front().activation; }
  bool keeps_input() const;
  double keep() const { return 1.0 - spec.input_dropout; }
  bool normalizes() const { return spec.norm_epsilon > 0.0; }
  bool drops() const { return spec.input_dropout > 0.0; }
  bool scales_at_test_time() const { return drops() && spec.dropout_mode == DropoutMode::kClassic; }
};

/// Copies plain (in, out) weights and (out) biases into panels, and back.
template <class T>
void pack_panels(const PanelShape& shape, const T* w, const T* b, T* panels);
template <class T>
void unpack_panels(const PanelShape& shape, const T* panels, T* w, T* b);

template <class T>
class Network {
 public:
  /// Throws std::invalid_argument for sizes below 1 and rates outside [0, 1).
  Network(Index n_features, const std::vector<DenseSpec>& specs);
  /// Of the columns of a table, which `encoder` makes the inputs of the first layer of.
  Network(const Encoder<T>& encoder, const std::vector<DenseSpec>& specs);
  explicit Network(const Network& other);

  const Kernels<T>& kernels() const { return *kernels_; }
  /// The same in double precision, for what is worth it behind the last product.
  const Kernels<double>& wide_kernels() const { return table_->f64; }
  const std::vector<DenseLayer>& layers() const { return layers_; }
  /// Inputs of the first layer.
  Index n_features() const { return layers_.front().shape.in; }
  /// Columns of the data: the same, unless they are encoded.
  Index n_columns() const { return encoder_ ? encoder_->columns() : n_features(); }
  /// Null where there is none.
  const Encoder<T>* encoder() const { return encoder_ ? &*encoder_ : nullptr; }
  bool learns_encoding() const { return encoder_ && encoder_->learns(); }
  /// The encoder's parameters, where it learns, lie behind the layers as one row of panels: the
  /// gradient of each is a sum over rows, like that of a bias.
  const PanelShape& encoding_shape() const { return encoding_shape_; }
  Index encoding_offset() const { return encoding_offset_; }
  const T* encoding_params() const {
    return learns_encoding() ? params() + encoding_offset_ : encoder_->start();
  }
  Index n_outputs() const { return layers_.back().shape.out; }
  /// Weights and biases, without the padding.
  Index n_params() const;
  /// Whether no parameter is NaN or infinite.
  bool is_finite() const noexcept;
  /// Multiply-adds of one row's forward pass, times two.
  double flops_per_row() const;

  T* params() { return params_.data(); }
  const T* params() const { return params_.data(); }
  /// Length of the flat array, padding included: that of gradients and optimizer state too.
  Index flat_size() const { return params_.size(); }

 private:
  Network(Index n_features, const std::vector<DenseSpec>& specs, const Encoder<T>* encoder);

  const KernelTable* table_;
  const Kernels<T>* kernels_;
  std::vector<DenseLayer> layers_;
  std::optional<Encoder<T>> encoder_;
  PanelShape encoding_shape_{};
  Index encoding_offset_ = 0;
  AlignedBuffer<T> params_;
};

}  // namespace fastmlp
