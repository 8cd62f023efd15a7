// Batch normalisation fused with what stands beside it: ReLU, and the addition of a shortcut that
// may have fewer channels.  For CPUs with AVX-512, and maps that lie in memory as
// [pixels][channels]: torch's channels_last, or some consecutive channels of such maps.
//
// Each pass reads its maps once.  Sums run over blocks of pixels of a fixed size and are brought
// together in order, so a result does not depend on the number of threads.

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VL__)
#error "AVX-512 (F, BW and VL) is needed"
#endif

// As native.py fills them in.
struct Untyped {
  void* first;     // of channel 0 of pixel 0; null where there are no such maps
  int64_t stride;  // from pixel to pixel, in values
  int64_t channels;
};

struct Norm {
  int64_t pixels, channels;
  const float *mean, *var, *weight, *bias;
  double eps;
};

namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 256;  // pixels
constexpr int64_t kRows = 8;     // pixels whose registers of some channels are in hand at once

struct Bf16 {
  uint16_t bits;
};

template <typename T>
struct Maps {
  T* first;
  int64_t stride, channels;

  explicit Maps(Untyped from)
      : first(static_cast<T*>(from.first)), stride(from.stride), channels(from.channels) {}
  T* at(int64_t pixel, int64_t channel) const { return first + pixel * stride + channel; }
};

// A register's worth of consecutive channels: all of its lanes, or as many as there are channels.
// Of two kinds, because a masked store takes many times as long as a whole one.
struct All {
  static __m512 load(const float* from) { return _mm512_loadu_ps(from); }
  static __m256i load_bits(const Bf16* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static void store(float* to, __m512 values) { _mm512_storeu_ps(to, values); }
  static void store_bits(Bf16* to, __m256i bits) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bits);
  }
};

struct Some {
  __mmask16 mask;

  explicit Some(int64_t count) : mask((1u << count) - 1) {}
  __m512 load(const float* from) const { return _mm512_maskz_loadu_ps(mask, from); }
  __m256i load_bits(const Bf16* from) const { return _mm256_maskz_loadu_epi16(mask, from); }
  void store(float* to, __m512 values) const { _mm512_mask_storeu_ps(to, mask, values); }
  void store_bits(Bf16* to, __m256i bits) const { _mm256_mask_storeu_epi16(to, mask, bits); }
};

template <typename Lanes>
__m512 load(const float* from, Lanes lanes) { return lanes.load(from); }

template <typename Lanes>
__m512 load(const Bf16* from, Lanes lanes) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(lanes.load_bits(from)), 16));
}

template <typename Lanes>
void store(float* to, __m512 values, Lanes lanes) { lanes.store(to, values); }

template <typename Lanes>
void store(Bf16* to, __m512 values, Lanes lanes) {  // the nearest, ties to even, as torch does
  const __m512i bits = _mm512_castps_si512(values);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
  const __m512i result = _mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(0x7fc0));
  lanes.store_bits(to, _mm512_cvtepi32_epi16(result));
}

// work(lanes) for those of a register's channels that maps have, if they have any.
template <typename Work>
void if_any(int64_t channels, int64_t first, Work work) {
  if (first + kLanes <= channels) work(All());
  else if (first < channels) work(Some(channels - first));
}

// Not a number passes, as it does in torch: a run that has broken must be seen to be broken.
__m512 if_positive(__m512 decides, __m512 values) {
  const __mmask16 lanes = _mm512_cmp_ps_mask(decides, _mm512_setzero_ps(), _CMP_NLE_UQ);
  return _mm512_maskz_mov_ps(lanes, values);
}

int64_t padded(int64_t channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

// work(number of pixels, first pixel, first channel, lanes) for every few pixels and register's
// worth of channels of a block; the number is known to the compiler.
template <typename Work>
void tiles(int64_t begin, int64_t end, int64_t channels, Work work) {
  auto rows = [&](auto count, int64_t pixel) {
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) work(count, pixel, c, All());
    if (c < channels) work(count, pixel, c, Some(channels - c));
  };
  int64_t pixel = begin;
  for (; pixel + kRows <= end; pixel += kRows)
    rows(std::integral_constant<int64_t, kRows>(), pixel);
  for (; pixel < end; ++pixel) rows(std::integral_constant<int64_t, 1>(), pixel);
}

// for_block(first pixel, end) for every block of pixels, in parallel.
template <typename ForBlock>
void blocks(int64_t pixels, int threads, ForBlock for_block) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t begin = 0; begin < pixels; begin += kBlock)
    for_block(begin, std::min(pixels, begin + kBlock));
}

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
  // About the first pixel: squares of values far from 0 would drown the variance.
  std::vector<float> pivot(padded(x.channels));
  for (int64_t c = 0; c < x.channels; c += kLanes)
    if_any(x.channels, c, [&](auto lanes) {
      _mm512_storeu_ps(&pivot[c], load(x.at(0, c), lanes));
    });
  const auto found = sums(pixels, x.channels, threads, [=, p = pivot.data()](int64_t c, auto lanes) {
    return [=, from = _mm512_loadu_ps(p + c)](int64_t pixel, __m512& one, __m512& two) {
      const __m512 value = load(x.at(pixel, c), lanes) - from;
      one += value;
      two += value * value;
    };
  });
  for (int64_t c = 0; c < x.channels; ++c) {
    const double shift = found.one[c] / pixels;
    mean[c] = pivot[c] + shift;
    // In this order NaN stays NaN.
    var[c] = std::max(found.two[c] / pixels - shift * shift, 0.0);
  }
}

// BN as slope * x + offset, for each channel.
struct Line {
  std::vector<float> slope, offset;

  explicit Line(const Norm& norm) : slope(padded(norm.channels)), offset(slope.size()) {
    for (int64_t c = 0; c < norm.channels; ++c) {
      slope[c] = norm.weight[c] / std::sqrt(norm.var[c] + norm.eps);
      offset[c] = norm.bias[c] - norm.mean[c] * slope[c];
    }
  }
};

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
