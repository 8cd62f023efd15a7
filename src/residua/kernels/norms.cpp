// Batch normalisation fused with what stands beside it: ReLU, and the addition of a shortcut that
// may have fewer channels.
//
// Each pass reads its maps once.

#include "moments.h"

namespace {

struct Sums {
  std::vector<double> one, two;
};

// Two sums over all pixels for each channel: terms(channel, lanes)(pixel, one, two) adds to both.
template <typename Terms>
Sums sums(int64_t pixels, int64_t channels, int threads, Terms terms) {
  const int64_t width = padded(channels);
  std::vector<float> found((pixels + kBlock - 1) / kBlock * 2 * width);
  blocks(pixels, threads, [&](int64_t begin, int64_t end) {
    float* here = &found[begin / kBlock * 2 * width];
    tiles(begin, end, channels, [=](auto count, int64_t pixel, int64_t c, auto lanes) {
      const auto term = terms(c, lanes);
      __m512 one[2] = {_mm512_loadu_ps(here + c)}, two[2] = {_mm512_loadu_ps(here + width + c)};
#pragma GCC unroll 8
      for (int64_t k = 0; k < count; ++k) term(pixel + k, one[k % 2], two[k % 2]);
      _mm512_storeu_ps(here + c, one[0] + one[1]);
      _mm512_storeu_ps(here + width + c, two[0] + two[1]);
    });
  });
  Sums total{std::vector<double>(width), std::vector<double>(width)};
  for (const float* here = found.data(); here != found.data() + found.size(); here += 2 * width)
    for (int64_t c = 0; c < width; ++c) {
      total.one[c] += here[c];
      total.two[c] += here[width + c];
    }
  return total;
}

template <typename T>
void moments(Maps<const T> x, int64_t pixels, float* mean, float* var, int threads) {
  Moments found(pixels, x.channels);
  blocks(pixels, threads, [&](int64_t begin, int64_t end) { found.take(x, begin, end); });
  found.bring_together(mean, var);
}

template <typename T>
void forward(Maps<const T> x, const Norm& norm, Maps<const T> addend, bool relu, Maps<T> y,
             int threads) {
  const Line line(norm);
  const float *slopes = line.slope.data(), *offsets = line.offset.data();
  blocks(norm.pixels, threads, [=](int64_t begin, int64_t end) {
    tiles(begin, end, x.channels, [=](auto count, int64_t pixel, int64_t c, auto lanes) {
      const __m512 slope = _mm512_loadu_ps(slopes + c), offset = _mm512_loadu_ps(offsets + c);
      __m512 values[count];
      for (int64_t k = 0; k < count; ++k)
        values[k] = slope * load(x.at(pixel + k, c), lanes) + offset;
      if_any(addend.channels, c, [&](auto added) {
        for (int64_t k = 0; k < count; ++k) values[k] += load(addend.at(pixel + k, c), added);
      });
      for (int64_t k = 0; k < count; ++k)
        store(y.at(pixel + k, c), relu ? if_positive(values[k], values[k]) : values[k], lanes);
    });
  });
}

enum Sign { kNone, kOfInput, kOfOutput };  // what tells where a ReLU let values pass

// The gradient that has come through the ReLU, for some channels.
template <typename T, Sign sign, typename Lanes>
struct Incoming {
  Maps<const T> grad, y;
  int64_t c;
  Lanes lanes;
  __m512 slope, offset;

  __m512 at(int64_t pixel, __m512 input) const {
    const __m512 value = load(grad.at(pixel, c), lanes);
    if (sign == kOfInput) return if_positive(slope * input + offset, value);
    if (sign == kOfOutput) return if_positive(load(y.at(pixel, c), lanes), value);
    return value;
  }
};

template <typename T, Sign sign>
void backward(Maps<const T> grad, Maps<const T> x, Maps<const T> y, const Norm& norm,
              Maps<T> grad_x, bool accumulate, Maps<T> grad_addend, float* grad_weight,
              float* grad_bias, int threads) {
  const Line line(norm);
  std::vector<float> mean(line.slope.size()), along(mean), shift(mean);
  std::copy_n(norm.mean, x.channels, mean.data());
  auto incoming = [=, slopes = line.slope.data(), offsets = line.offset.data()](int64_t c,
                                                                                auto lanes) {
    return Incoming<T, sign, decltype(lanes)>{
        grad, y, c, lanes, _mm512_loadu_ps(slopes + c), _mm512_loadu_ps(offsets + c)};
  };
  const auto found =
      sums(norm.pixels, x.channels, threads, [=, means = mean.data()](int64_t c, auto lanes) {
        return [=, in = incoming(c, lanes), middle = _mm512_loadu_ps(means + c)](
                   int64_t pixel, __m512& one, __m512& two) {
          const __m512 input = load(x.at(pixel, c), lanes);
          const __m512 value = in.at(pixel, input);
          one += value;
          two += value * (input - middle);
        };
      });
  for (int64_t c = 0; c < x.channels; ++c) {
    const double inverse = 1 / std::sqrt(norm.var[c] + norm.eps);
    grad_bias[c] = found.one[c];
    grad_weight[c] = found.two[c] * inverse;
    along[c] = -line.slope[c] * inverse * inverse * found.two[c] / norm.pixels;
    shift[c] = -line.slope[c] * found.one[c] / norm.pixels - along[c] * mean[c];
  }
  blocks(norm.pixels, threads, [=, b_ = along.data(), d_ = shift.data()](int64_t begin, int64_t end) {
    tiles(begin, end, x.channels, [=](auto count, int64_t pixel, int64_t c, auto lanes) {
      const auto in = incoming(c, lanes);
      const __m512 b = _mm512_loadu_ps(b_ + c), d = _mm512_loadu_ps(d_ + c);
      __m512 inputs[count], values[count];
      for (int64_t k = 0; k < count; ++k) {
        inputs[k] = load(x.at(pixel + k, c), lanes);
        values[k] = in.at(pixel + k, inputs[k]);
      }
      if_any(grad_addend.channels, c, [&](auto added) {
        for (int64_t k = 0; k < count; ++k) store(grad_addend.at(pixel + k, c), values[k], added);
      });
      for (int64_t k = 0; k < count; ++k) {
        __m512 result = in.slope * values[k] + (b * inputs[k] + d);
        if (accumulate) result += load(grad_x.at(pixel + k, c), lanes);
        store(grad_x.at(pixel + k, c), result, lanes);
      }
    });
  });
}

template <typename T>
void backward(int sign, Untyped grad, Untyped x, Untyped y, const Norm& norm, Untyped grad_x,
              bool accumulate, Untyped grad_addend, float* grad_weight, float* grad_bias,
              int threads) {
  auto* run = sign == kNone      ? backward<T, kNone>
              : sign == kOfInput ? backward<T, kOfInput>
                                 : backward<T, kOfOutput>;
  run(Maps<const T>(grad), Maps<const T>(x), Maps<const T>(y), norm, Maps<T>(grad_x), accumulate,
      Maps<T>(grad_addend), grad_weight, grad_bias, threads);
}

}  // namespace

extern "C" {

void residua_moments(bool half, Untyped x, int64_t pixels, float* mean, float* var, int threads) {
  if (half) moments(Maps<const Bf16>(x), pixels, mean, var, threads);
  else moments(Maps<const float>(x), pixels, mean, var, threads);
}

void residua_forward(bool half, Untyped x, Norm norm, Untyped addend, bool relu, Untyped y,
                     int threads) {
  if (half)
    forward<Bf16>(Maps<const Bf16>(x), norm, Maps<const Bf16>(addend), relu, Maps<Bf16>(y), threads);
  else
    forward<float>(Maps<const float>(x), norm, Maps<const float>(addend), relu, Maps<float>(y),
                   threads);
}

void residua_backward(bool half, int sign, Untyped grad, Untyped x, Untyped y, Norm norm,
                      Untyped grad_x, bool accumulate, Untyped grad_addend, float* grad_weight,
                      float* grad_bias, int threads) {
  auto* run = half ? backward<Bf16> : backward<float>;
  run(sign, grad, x, y, norm, grad_x, accumulate, grad_addend, grad_weight, grad_bias, threads);
}

}  // extern "C"
