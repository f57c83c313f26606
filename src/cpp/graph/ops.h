// The operations of ops.def, each module's forward beside its local gradient: leaves and arithmetic
// here, whatever needs a loop of its own in the headers below.
#pragma once

#include <cmath>

#include "graph/elementwise.h"
#include "graph/product.h"
#include "graph/reduce.h"
#include "graph/rowwise.h"

namespace fastmlp::graph {

/// Variables and constants have their value from outside.
struct Leaf {
  template <class T>
  static Shape shape(const Node<T>& node) {
    return node.shape;
  }
  template <class T>
  static Work plan(Node<T>&) {
    return {};
  }
  template <class T>
  static void forward(Node<T>&, const Worker<T>&) {}
  template <class T>
  static void backward(Node<T>&, Index, const View<T>&, const Worker<T>&) {}
};

// One line per function: what is computed from x, y and the value f.

struct Negate : Elementwise<Negate, 1> {
  template <class T>
  static T value(T x) {
    return -x;
  }
  template <class T>
  static T slope(T, T) {
    return T{-1};
  }
};

struct Add : Elementwise<Add, 2> {
  template <class T>
  static T value(T x, T y) {
    return x + y;
  }
  template <class T>
  static T slope_x(T, T, T) {
    return T{1};
  }
  template <class T>
  static T slope_y(T, T, T) {
    return T{1};
  }
};

struct Subtract : Elementwise<Subtract, 2> {
  template <class T>
  static T value(T x, T y) {
    return x - y;
  }
  template <class T>
  static T slope_x(T, T, T) {
    return T{1};
  }
  template <class T>
  static T slope_y(T, T, T) {
    return T{-1};
  }
};

struct Multiply : Elementwise<Multiply, 2> {
  template <class T>
  static T value(T x, T y) {
    return x * y;
  }
  template <class T>
  static T slope_x(T, T y, T) {
    return y;
  }
  template <class T>
  static T slope_y(T x, T, T) {
    return x;
  }
};

struct Divide : Elementwise<Divide, 2> {
  template <class T>
  static T value(T x, T y) {
    return x / y;
  }
  template <class T>
  static T slope_x(T, T y, T) {
    return T{1} / y;
  }
  template <class T>
  static T slope_y(T, T y, T f) {
    return -f / y;
  }
};

/// The slopes' limits at x = 0, where a factor of theirs is infinite, are those of x^0 = 1 and 0^y
/// = 0.
struct Power : Elementwise<Power, 2> {
  template <class T>
  static T value(T x, T y) {
    return std::pow(x, y);
  }
  template <class T>
  static T slope_x(T x, T y, T) {
    return y == T{0} ? T{0} : y * std::pow(x, y - T{1});
  }
  template <class T>
  static T slope_y(T x, T y, T f) {
    return x == T{0} && y >= T{0} ? T{0} : f * std::log(x);
  }
};

/// The activation with a learned slope y.
struct PRelu : Elementwise<PRelu, 2> {
  template <class T>
  static T value(T x, T y) {
    return x > T{0} ? x : y * x;
  }
  template <class T>
  static T slope_x(T x, T y, T) {
    return x > T{0} ? T{1} : y;
  }
  template <class T>
  static T slope_y(T x, T, T) {
    return x > T{0} ? T{0} : x;
  }
};

struct Square : Elementwise<Square, 1> {
  template <class T>
  static T value(T x) {
    return x * x;
  }
  template <class T>
  static T slope(T x, T) {
    return T{2} * x;
  }
};

struct Exp : Elementwise<Exp, 1> {
  template <class T>
  static T value(T x) {
    return std::exp(x);
  }
  template <class T>
  static T slope(T, T f) {
    return f;
  }
};

struct Log : Elementwise<Log, 1> {
  template <class T>
  static T value(T x) {
    return std::log(x);
  }
  template <class T>
  static T slope(T x, T) {
    return T{1} / x;
  }
};

struct Matmul : Product<false> {};
struct Dense : Product<true> {};

}  // namespace fastmlp::graph
