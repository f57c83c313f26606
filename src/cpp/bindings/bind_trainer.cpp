// Trainer, for both scalar types, and how it talks to Python while it runs.
#include <optional>

#include "bindings/bindings.h"
#include "bindings/bound_trainer.h"
#include "bindings/gil.h"
#include "bindings/held_rows.h"
#include "bindings/numpy_view.h"
#include "bindings/python_exchange.h"
#include "bindings/python_hooks.h"

namespace fastmlp::bindings {

namespace {

constexpr const char* kScheduleNames[] = {"constant", "invscaling", "adaptive"};
constexpr const char* kMonitorNames[] = {"loss", "val_loss", "accuracy", "r2", "hook"};
constexpr const char* kStoppedNames[] = {"max_epochs", "no_improvement", "rate_too_small",
                                         "callback", "non_finite"};
constexpr const char* kEventNames[] = {"", "no_improvement", "rate_cut", "rate_too_small"};

struct Named {
  const char* name;
};
template <std::size_t N>
std::size_t index_named(const char* const (&names)[N], const std::string& name,
                        const char* argument) {
  Named rows[N];
  for (std::size_t i = 0; i < N; ++i) rows[i] = {names[i]};
  return row_named(rows, name, argument);
}

void set_hyperparameters(TrainSettings& settings, const py::dict& given) {
  const OptimizerRow& row = kOptimizers[static_cast<std::size_t>(settings.optimizer)];
  std::string allowed;
  for (int i = 0; i < kMaxHyperparameters && row.hyperparameters[i].name; ++i) {
    settings.hyper[i] = row.hyperparameters[i].value;
    allowed += (i ? ", '" : "'") + std::string(row.hyperparameters[i].name) + "'";
  }
  for (const auto& [key, value] : given) {
    const auto name = py::cast<std::string>(key);
    int i = 0;
    while (i < kMaxHyperparameters && row.hyperparameters[i].name &&
           name != row.hyperparameters[i].name) {
      ++i;
    }
    if (i == kMaxHyperparameters || row.hyperparameters[i].name == nullptr) {
      throw std::invalid_argument("unknown hyperparameter '" + name + "' of optimizer '" +
                                  row.name + "'; allowed: " + allowed);
    }
    settings.hyper[i] = py::cast<double>(value);
  }
}

/// Throws TypeError for a name that is none of the catalog's, or a value of another type, and where
/// the rate or the batch size is missing.
void set_settings(TrainSettings& settings, const py::kwargs& given) {
  for (const char* name : {"rate", "batch_size"}) {
    if (!given.contains(name)) throw py::type_error(std::string(name) + " is missing");
  }
  for (const auto& [key, value] : given) {
    const auto name = py::cast<std::string>(key);
    bool known = false;
    try {
      if (value.is_none()) throw py::cast_error();  // which would be False
#define SETTING(type, field, ...)           \
  if (name == #field) {                     \
    settings.field = py::cast<type>(value); \
    known = true;                           \
  }
#include "catalog/settings.def"
#undef SETTING
    } catch (const py::cast_error&) {
      throw py::type_error(name +
                           " has no value of its type: " + py::repr(value).cast<std::string>());
    }
    if (!known) throw py::type_error("there is no setting '" + name + "'");
  }
}

template <class T>
std::unique_ptr<BoundTrainer<T>> make_trainer(
    Network<T>& network, const std::string& loss, const std::string& optimizer,
    const py::dict& hyperparameters, const std::string& schedule, const std::string& monitor,
    const LossParameter& loss_parameter, bool skips_missing, double label_smoothing, bool own_loss,
    const py::kwargs& settings) {
  TrainSettings s;
  std::vector<double> loss_parameters;
  s.loss = loss_choice(loss, loss_parameter, skips_missing, network.n_outputs(), loss_parameters);
  if (!(label_smoothing >= 0.0 && label_smoothing < 1.0)) {
    throw std::invalid_argument("label_smoothing must be in [0, 1), got " +
                                std::to_string(label_smoothing));
  }
  s.loss.label_smoothing = label_smoothing;
  s.optimizer = static_cast<Optimizer>(row_named(kOptimizers, optimizer, "optimizer"));
  set_hyperparameters(s, hyperparameters);
  s.schedule = static_cast<RateSchedule>(index_named(kScheduleNames, schedule, "schedule"));
  s.monitor = static_cast<Monitor>(index_named(kMonitorNames, monitor, "monitor"));
  set_settings(s, settings);
  const bool compares = s.monitor == Monitor::kAccuracy || s.monitor == Monitor::kR2;
  if (compares && row_of(s.loss.loss).over == Over::kPairs) {
    throw std::invalid_argument("monitor '" + monitor + "' is not for the loss '" + loss + "'");
  }
  auto own = own_loss ? std::make_unique<PythonLoss>() : nullptr;
  s.loss.own = own.get();
  return std::unique_ptr<BoundTrainer<T>>(new BoundTrainer<T>{
      std::move(own), std::move(loss_parameters), Trainer<T>(network, s), {}, false, false});
}

template <class T>
py::dict run(BoundTrainer<T>& self, const py::object& x, const py::object& t,
             const py::object& sample_weight, Index epochs, const py::object& x_val,
             const py::object& t_val, const py::object& sample_weight_val, const py::object& rows,
             const py::object& rows_val, const py::object& windows, const py::object& on_epoch_end,
             const py::object& rate, const py::object& score, const py::object& own_loss,
             const py::object& shared, int n_threads) {
  const Exclusive<T> exclusive(self);
  check_threads(n_threads);
  const Network<T>& network = self.trainer.network();
  const Widths widths = widths_of(network, self.trainer.settings().loss.loss);
  const HeldRows data(widths, x, t, sample_weight, rows, windows);
  std::optional<HeldData> validation;
  if (x_val.is_none() != t_val.is_none()) {
    throw std::invalid_argument("x_val and t_val must be given together");
  }
  if (!x_val.is_none()) {
    validation.emplace(widths, x_val, py::cast<py::array>(t_val), sample_weight_val, rows_val,
                       "_val");
  } else if (self.trainer.settings().monitor != Monitor::kLoss) {
    throw std::invalid_argument(
        "monitor '" +
        std::string(kMonitorNames[static_cast<int>(self.trainer.settings().monitor)]) +
        "' needs a validation set: give x_val and t_val");
  }
  if (score.is_none() == (self.trainer.settings().monitor == Monitor::kHook)) {
    throw std::invalid_argument("score belongs to the monitor 'hook', which needs it");
  }
  PythonHooks hooks(on_epoch_end, score, rate, self.in_hook);
  std::optional<HeldSharing> sharing;
  if (!shared.is_none()) {
    if (!rows.is_none()) throw std::invalid_argument("rows belong to a run that nobody shares");
    sharing.emplace(shared);
    hooks.watch(shared.attr("transport"));
    sharing->check(data.held());
  }
  self.report = RunReport{};
  const PythonLoss::Scope loss_scope(self.own_loss.get(), own_loss);
  {
    const DataView validation_view = validation ? validation->view() : DataView{};
    const GilReleased release;
    self.trainer.run(data.source(), validation ? &validation_view : nullptr, epochs, n_threads,
                     hooks, self.report, sharing ? &sharing->rows() : nullptr);
  }
  if (sharing) sharing->rethrow();
  hooks.rethrow();
  if (self.own_loss) self.own_loss->rethrow();
  return to_dict(self.report);
}

/// Refuses to look at what a run is changing: it may be looked at in its hooks alone.
template <class T>
void require_rest(const BoundTrainer<T>& self) {
  if (self.runs && !self.in_hook)
    throw std::runtime_error("it is training already, in another call");
}

/// In a run's hook behind an epoch, with the weights that are kept, if any.
template <class T>
py::dict get_state(BoundTrainer<T>& self) {
  require_rest(self);
  const Progress& p = self.trainer.progress();
  py::list slots;
  for (int i = 0; i < self.trainer.slot_count(); ++i) {
    slots.append(export_params(self.trainer.network(), self.trainer.slot(i)));
  }
  py::dict state(py::arg("rate") = p.rate, py::arg("epochs") = p.epochs, py::arg("steps") = p.steps,
                 py::arg("rows_seen") = p.rows_seen, py::arg("no_improvement") = p.no_improvement,
                 py::arg("best") = p.best, py::arg("kept") = p.kept, py::arg("slots") = slots);
  if (const T* kept = self.trainer.kept_params()) {
    state["kept_params"] = export_params(self.trainer.network(), kept);
  }
  return state;
}

/// Takes over what `state` has; the rest stays as it is.
template <class T>
void set_state(BoundTrainer<T>& self, const py::dict& state) {
  const Exclusive<T> exclusive(self);
  Progress p = self.trainer.progress();
  const auto take = [&](const char* key, auto& value) {
    if (state.contains(key)) value = py::cast<std::decay_t<decltype(value)>>(state[key]);
  };
  take("rate", p.rate);
  take("epochs", p.epochs);
  take("steps", p.steps);
  take("rows_seen", p.rows_seen);
  take("no_improvement", p.no_improvement);
  take("best", p.best);
  take("kept", p.kept);
  if (state.contains("slots")) {
    const auto slots = py::cast<py::sequence>(state["slots"]);
    if (static_cast<int>(slots.size()) != self.trainer.slot_count()) {
      throw std::invalid_argument("state has " + std::to_string(slots.size()) +
                                  " slots, the optimizer needs " +
                                  std::to_string(self.trainer.slot_count()));
    }
    for (int i = 0; i < self.trainer.slot_count(); ++i) {
      const auto lists = py::cast<py::sequence>(slots[static_cast<std::size_t>(i)]);
      import_params(self.trainer.network(), py::cast<py::sequence>(lists[0]),
                    py::cast<py::sequence>(lists[1]), py::cast<py::sequence>(lists[2]),
                    self.trainer.slot(i));
    }
  }
  if (state.contains("kept_params")) {
    const auto lists = py::cast<py::sequence>(state["kept_params"]);
    AlignedBuffer<T> kept(self.trainer.network().flat_size());
    import_params(self.trainer.network(), py::cast<py::sequence>(lists[0]),
                  py::cast<py::sequence>(lists[1]), py::cast<py::sequence>(lists[2]), kept.data());
    self.trainer.keep_params(std::move(kept));
  }
  self.trainer.progress() = p;
}

/// The rules of whole epochs, for training whose epochs no trainer makes.
class Course {
 public:
  Course(const std::string& schedule, const py::kwargs& settings)
      : settings_(with(schedule, settings)), progress_(settings_) {}

  double rate() const { return progress_.rate; }
  void set_rate(double rate) { progress_.rate = rate; }
  /// Epochs with so many rows each, behind which the score is this, larger being better.
  std::string count(double score, Index epochs, Index rows) {
    progress_.count(score, settings_.tol);
    if (progress_.no_improvement > 0) progress_.no_improvement += epochs - 1;
    progress_.rows_seen += epochs * rows;
    return kEventNames[static_cast<int>(progress_.end_epoch(settings_))];
  }

 private:
  static TrainSettings with(const std::string& schedule, const py::kwargs& given) {
    TrainSettings settings;
    settings.schedule =
        static_cast<RateSchedule>(index_named(kScheduleNames, schedule, "schedule"));
    set_settings(settings, given);
    settings.check();
    return settings;
  }

  TrainSettings settings_;
  Progress progress_;
};

template <class T>
void bind(py::module_& m, const char* name) {
  using Bound = BoundTrainer<T>;
  py::class_<Bound>(m, name, "Trains a network and remembers the optimizer's state between runs.")
      .def(py::init(&make_trainer<T>), py::keep_alive<1, 2>(), py::arg("network"), py::kw_only(),
           py::arg("loss"), py::arg("optimizer"), py::arg("hyperparameters") = py::dict(),
           py::arg("schedule") = "constant", py::arg("monitor") = "loss",
           py::arg("loss_parameter") = py::none(), py::arg("skips_missing") = false,
           py::arg("label_smoothing") = 0.0, py::arg("own_loss") = false)
      .def_property_readonly("steps", [](Bound& self) { return self.trainer.progress().steps; })
      .def_property_readonly("rate", [](Bound& self) { return self.trainer.progress().rate; })
      .def("copy_network",
           [](const Bound& self) {
             require_rest(self);
             return std::make_unique<Network<T>>(self.trainer.network());
           })
      .def_property_readonly("report", [](const Bound& self) { return to_dict(self.report); })
      .def_property_readonly("fewest_threads",
                             [](const Bound& self) { return self.report.fewest_threads; })
      .def("run", &run<T>, py::arg("x") = py::none(), py::arg("t") = py::none(),
           py::arg("sample_weight") = py::none(), py::kw_only(), py::arg("epochs"),
           py::arg("x_val") = py::none(), py::arg("t_val") = py::none(),
           py::arg("sample_weight_val") = py::none(), py::arg("rows") = py::none(),
           py::arg("rows_val") = py::none(), py::arg("windows") = py::none(),
           py::arg("on_epoch_end") = py::none(), py::arg("rate") = py::none(),
           py::arg("score") = py::none(), py::arg("own_loss") = py::none(),
           py::arg("shared") = py::none(), py::arg("n_threads") = 0)
      .def("get_state", &get_state<T>)
      .def("set_state", &set_state<T>, py::arg("state"));
}

}  // namespace

py::dict to_dict(const RunReport& report) {
  py::list loss, val_loss, val_score, rate, seconds;
  for (const EpochReport& epoch : report.epochs) {
    loss.append(epoch.loss);
    val_loss.append(epoch.val_loss);
    val_score.append(epoch.val_score);
    rate.append(epoch.rate);
    seconds.append(epoch.seconds);
  }
  return py::dict(
      py::arg("stopped") = kStoppedNames[static_cast<int>(report.stopped)],
      py::arg("epochs") = report.epochs.size(), py::arg("loss") = loss,
      py::arg("val_loss") = val_loss, py::arg("val_score") = val_score, py::arg("rate") = rate,
      py::arg("seconds") = seconds,
      py::arg("step_loss") =
          py::array_t<double>(static_cast<Index>(report.step_loss.size()), report.step_loss.data()),
      py::arg("best_epoch") = report.best_epoch, py::arg("kept") = report.kept,
      py::arg("failed_epoch") = report.failed_epoch, py::arg("failed_batch") = report.failed_batch);
}

py::dict to_dict(const EpochReport& report) {
  return py::dict(py::arg("epoch") = report.epoch, py::arg("loss") = report.loss,
                  py::arg("val_loss") = report.val_loss, py::arg("val_score") = report.val_score,
                  py::arg("rate") = report.rate, py::arg("seconds") = report.seconds,
                  py::arg("event") = kEventNames[static_cast<int>(report.event)]);
}

void check_rank(const Balance& balance, int rank) {
  if (rank >= 0 && rank < balance.threads()) return;
  throw std::out_of_range("rank must be from 0 to " + std::to_string(balance.threads() - 1) +
                          ", got " + std::to_string(rank));
}

void bind_trainer(py::module_& m) {
  bind<float>(m, "TrainerFloat32");
  bind<double>(m, "TrainerFloat64");
  py::class_<Course>(m, "Course", "Rate and stopping, where epochs are made elsewhere.")
      .def(py::init<const std::string&, const py::kwargs&>(), py::kw_only(), py::arg("schedule"))
      .def_property_readonly("rate", &Course::rate)
      .def("set_rate", &Course::set_rate, py::arg("rate"))
      .def("count", &Course::count, py::arg("score"), py::arg("epochs"), py::arg("rows"));
  py::class_<TeamSize>(m, "TeamSize", "How many threads the steps of a run get.")
      .def(py::init<int, Index, bool>(), py::arg("most"), py::arg("batch"), py::arg("fixed"))
      .def_property_readonly("threads", &TeamSize::threads)
      .def("rows_ahead", &TeamSize::rows_ahead, py::arg("left"))
      .def("took", &TeamSize::took, py::arg("rows"), py::arg("seconds"))
      .def("resume", &TeamSize::resume, py::arg("awake"));
  py::class_<Balance>(m, "Balance", "How the threads of a run divide the phases of its steps.")
      .def(py::init<int, bool>(), py::arg("threads"), py::arg("fixed"))
      .def(
          "part",
          [](const Balance& balance, int rank) {
            check_rank(balance, rank);
            const Part part = balance.part(rank);
            return py::make_tuple(part.begin, part.end);
          },
          py::arg("rank"))
      .def(
          "share",
          [](const Balance& balance, Index n, Index grain, int rank) {
            check_rank(balance, rank);
            const Range range = share(n, grain, balance.part(rank));
            return py::make_tuple(range.begin, range.end);
          },
          py::arg("n"), py::arg("grain"), py::arg("rank"))
      .def(
          "took",
          [](Balance& balance, int rank, double work, double seconds) {
            check_rank(balance, rank);
            balance.took(rank, work, seconds);
          },
          py::arg("rank"), py::arg("work"), py::arg("seconds"))
      .def("adjust", &Balance::adjust);
  const auto to_tuple = [](Range range) { return py::make_tuple(range.begin, range.end); };
  py::class_<Rest>(m, "Rest", "What a thread has not begun of its part of a phase.")
      .def(py::init<>())
      .def(
          "offer", [](Rest& rest, Index begin, Index end) { rest.offer({begin, end}); },
          py::arg("begin"), py::arg("end"))
      .def(
          "take_front",
          [to_tuple](Rest& rest, Index whole) { return to_tuple(rest.take_front(whole)); },
          py::arg("whole"))
      .def(
          "take_back",
          [to_tuple](Rest& rest, Index whole) { return to_tuple(rest.take_back(whole)); },
          py::arg("whole"));
}

}  // namespace fastmlp::bindings
