// Pack, for both scalar types: many trainers at once.
#include "bindings/bindings.h"
#include "bindings/bound_trainer.h"
#include "bindings/gil.h"
#include "bindings/held_rows.h"
#include "bindings/python_hooks.h"
#include "train/pack.h"

namespace fastmlp::bindings {

namespace {

/// Python as the caller of a pack.
class PythonPackCaller final : public PackCaller {
 public:
  explicit PythonPackCaller(py::object on_poll) : on_poll_(std::move(on_poll)) {}

  bool poll(Index finished, double loss) noexcept override {
    if (signal_raised(error_)) return true;
    if (on_poll_.is_none()) return false;
    const GilHeld acquire;
    try {
      on_poll_(finished, loss);
    } catch (...) {
      error_ = std::current_exception();
    }
    return error_ != nullptr;
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  py::object on_poll_;
  std::exception_ptr error_;
};

template <class T>
class Pack {
 public:
  void add(const py::object& trainer, const py::object& x, const py::object& t,
           const py::object& sample_weight, const py::object& x_val, const py::array& t_val,
           const py::object& sample_weight_val, const py::object& rows, const py::object& rows_val,
           const py::object& windows, Index epochs, Index patience) {
    auto& bound = py::cast<BoundTrainer<T>&>(trainer);
    const Widths widths = widths_of(bound.trainer.network(), bound.trainer.settings().loss.loss);
    rows_.push_back(std::make_unique<HeldRows>(widths, x, t, sample_weight, rows, windows));
    validation_.push_back(
        std::make_unique<HeldData>(widths, x_val, t_val, sample_weight_val, rows_val, "_val"));
    members_.push_back(std::unique_ptr<PackMember<T>>(new PackMember<T>{
        &bound.trainer, rows_.back()->source(), validation_.back()->view(), epochs, patience}));
    trainers_.push_back(trainer);
  }

  /// A report of each member, None where it was not begun.
  py::list run(int n_threads, double seconds, const py::object& on_poll) {
    check_threads(n_threads);
    std::vector<std::unique_ptr<Exclusive<T>>> exclusive;
    for (const py::object& trainer : trainers_) {
      exclusive.push_back(std::make_unique<Exclusive<T>>(py::cast<BoundTrainer<T>&>(trainer)));
    }
    PythonPackCaller caller(on_poll);
    {
      const GilReleased release;
      train_pack(members_, n_threads, seconds, caller);
    }
    caller.rethrow();
    py::list reports;
    for (const auto& member : members_) {
      if (!member->begun) {
        reports.append(py::none());
        continue;
      }
      py::dict report = to_dict(member->report);
      report["best_loss_epoch"] = member->best_loss_epoch;
      reports.append(report);
    }
    return reports;
  }

  /// A network with a member's weights of the least validation loss; None where that is also the
  /// one of its trainer, or there is none.
  py::object by_loss(std::size_t i) const {
    const PackMember<T>& member = *members_.at(i);
    if (member.by_loss.size() == 0) return py::none();
    auto network = std::make_unique<Network<T>>(member.trainer->network());
    std::copy_n(member.by_loss.data(), network->flat_size(), network->params());
    return py::cast(std::move(network));
  }

 private:
  std::vector<std::unique_ptr<PackMember<T>>> members_;
  std::vector<std::unique_ptr<HeldRows>> rows_;
  std::vector<std::unique_ptr<HeldData>> validation_;
  std::vector<py::object> trainers_;
};

template <class T>
void bind(py::module_& m, const char* name) {
  using Bound = Pack<T>;
  py::class_<Bound>(m, name, "Networks that are trained at once, one by each thread.")
      .def(py::init<>())
      .def("add", &Bound::add, py::arg("trainer"), py::arg("x"), py::arg("t"),
           py::arg("sample_weight"), py::arg("x_val"), py::arg("t_val"),
           py::arg("sample_weight_val"), py::kw_only(), py::arg("rows") = py::none(),
           py::arg("rows_val") = py::none(), py::arg("windows") = py::none(), py::arg("epochs"),
           py::arg("patience"))
      .def("run", &Bound::run, py::kw_only(), py::arg("n_threads") = 0,
           py::arg("seconds") = std::numeric_limits<double>::infinity(),
           py::arg("on_poll") = py::none())
      .def("by_loss", &Bound::by_loss, py::arg("member"));
}

}  // namespace

void bind_pack(py::module_& m) {
  m.def("is_cancelled", &Cancellation::cancelled);
  py::class_<Cancellation>(m, "Cancellation", "Ends the long calls of the threads inside of it.")
      .def(py::init<>())
      .def("cancel", &Cancellation::cancel)
      .def("__enter__", &Cancellation::enter)
      .def(
          "__exit__",
          [](Cancellation& self, const py::object&, const py::object&, const py::object&) {
            self.exit();
          },
          py::arg("kind"), py::arg("error"), py::arg("traceback"));
  bind<float>(m, "PackFloat32");
  bind<double>(m, "PackFloat64");
}

}  // namespace fastmlp::bindings
