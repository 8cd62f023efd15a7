// A convolution of 1×1 behind BN and ReLU, in bfloat16: a product of matrices whose left one is made
// in registers, block by block, and never written to memory.  Going back, one pass reads the
// gradient, the maps and what the maps' gradient is so far, adds to that, and leaves behind the
// gradients of weights and norm.

#include "moments.h"

#ifdef __AVX512BF16__

namespace {

constexpr int64_t kWide = 3;     // registers of columns in hand at once
constexpr int64_t kPixels = 64;  // of a piece of a block, which stays in the nearest cache
constexpr int64_t kParts = 32;   // of all pixels, each with sums of its own
static_assert(kBlock % kPixels == 0 && kPixels % kRows == 0);

using Pair = uint32_t;  // two consecutive values, the first in the lower half

// A value in its half of a pair, by whether its place is even.
Pair pair_of(Bf16 value, int64_t place) { return static_cast<Pair>(value.bits) << place % 2 * 16; }

__m512i together(__m512i low, __m512i high) {
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// Rows times columns, added to acc: rows[r * row + k * step] with columns[k * stride + lane].
template <int kColumns>
inline __attribute__((always_inline)) void multiply(
    const Pair* rows, int64_t row, int64_t step, const Pair* columns, int64_t stride, int64_t steps,
    __m512 (&acc)[kRows][kColumns]) {
  for (int64_t k = 0; k < steps; ++k) {
    __m512bh column[kColumns];
#pragma GCC unroll 3
    for (int n = 0; n < kColumns; ++n)
      column[n] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(columns + k * stride + n * kLanes));
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const auto value = reinterpret_cast<__m512bh>(_mm512_set1_epi32(rows[r * row + k * step]));
#pragma GCC unroll 3
      for (int n = 0; n < kColumns; ++n)
        acc[r][n] = _mm512_dpbf16_ps(acc[r][n], value, column[n]);
    }
  }
}

// work(number of registers, first column) for all columns; the number is known to the compiler.
template <typename Work>
void column_tiles(int64_t width, Work work) {
  int64_t c = 0;
  for (; c + kWide * kLanes <= width; c += kWide * kLanes)
    work(std::integral_constant<int, kWide>(), c);
  if (width - c == 2 * kLanes) work(std::integral_constant<int, 2>(), c);
  if (width - c == kLanes) work(std::integral_constant<int, 1>(), c);
}

// work(number of pixels) for the few in hand; known to the compiler unless they are the last.
template <typename Work>
void row_tile(int64_t left, Work work) {
  if (left >= kRows) work(std::integral_constant<int64_t, kRows>());
  else work(left);
}

// Asks for some pixels to come: the processor sees no order in short runs of channels far apart.
template <typename T>
void prefetch(Maps<T> maps, int64_t first, int64_t count, int64_t pixels) {
  for (int64_t pixel = first; pixel < std::min(pixels, first + count); ++pixel) {
    const auto* from = reinterpret_cast<const char*>(maps.at(pixel, 0));
    for (int64_t k = 0; k < maps.channels * 2; k += 64) _mm_prefetch(from + k, _MM_HINT_T0);
  }
}

// relu(norm(x)) of a piece of a block as pairs of channels, [pixels][width / 2].
void activate(Maps<const Bf16> x, int64_t begin, int64_t end, const Line& line, Pair* to) {
  const int64_t width = padded(x.channels);
  auto* values = reinterpret_cast<Bf16*>(to);
  for (int64_t pixel = begin; pixel < end; ++pixel) {
    prefetch(x, pixel + 16, 1, end + 64);
    for (int64_t c = 0; c < width; c += kLanes)
      if_any(x.channels, c, [&](auto lanes) {
        const __m512 slope = _mm512_loadu_ps(&line.slope[c]);
        const __m512 value = slope * load(x.at(pixel, c), lanes) + _mm512_loadu_ps(&line.offset[c]);
        // Channels beyond the last have neither slope nor offset: they are zeros.
        store(values + (pixel - begin) * width + c, if_positive(value, value), All());
      });
  }
}

void forward(Maps<const Bf16> x, const Norm& norm, const Bf16* weight, Untyped output, float* mean,
             float* var, int threads) {
  const Line line(norm);
  const Maps<Bf16> y(output);
  const int64_t in = padded(x.channels), out = padded(y.channels);
  Aligned<Pair> packed(in / 2 * out);  // [pair of inputs][output]
  Pair* columns = packed.data();
  for (int64_t o = 0; o < y.channels; ++o)
    for (int64_t c = 0; c < x.channels; ++c)
      columns[c / 2 * out + o] |= pair_of(weight[o * x.channels + c], c);
  Moments found(norm.pixels, y.channels);
  blocks(norm.pixels, threads, [&](int64_t block, int64_t block_end) {
    Aligned<Pair> activated(kPixels * in / 2);
    for (int64_t begin = block; begin < block_end; begin += kPixels) {
      const int64_t end = std::min(block_end, begin + kPixels);
      activate(x, begin, end, line, activated.data());
      for (int64_t pixel = begin; pixel < end; pixel += kRows)
        column_tiles(out, [&](auto count, int64_t first) {
          __m512 acc[kRows][count] = {};
          const Pair* rows = activated.data() + (pixel - begin) * in / 2;
          multiply<count>(rows, in / 2, 1, columns + first, out, in / 2, acc);
          row_tile(end - pixel, [&](auto rows) {
            for (int n = 0; n < count; ++n)
              if_any(y.channels, first + n * kLanes, [&](auto lanes) {
                for (int64_t r = 0; r < rows; ++r)
                  store(y.at(pixel + r, first + n * kLanes), acc[r][n], lanes);
              });
          });
        });
    }
    found.take(Maps<const Bf16>(output), block, block_end);
  });
  found.bring_together(mean, var);
}

// What the backward pass reads, and for how much of it sums are kept.
struct Backward {
  Maps<const Bf16> grad, x;
  Maps<Bf16> grad_x;
  Line line;
  const float* mean;
  int64_t in, out;        // channels of x and grad, padded
  Aligned<Pair> columns;  // [pair of outputs][input]

  Backward(Untyped grad, Untyped x, Untyped grad_x, const Norm& norm, const Bf16* weight)
      : grad(grad), x(x), grad_x(grad_x), line(norm), mean(norm.mean), in(padded(x.channels)),
        out(padded(grad.channels)), columns(out / 2 * in) {
    for (int64_t o = 0; o < grad.channels; ++o)
      for (int64_t c = 0; c < x.channels; ++c)
        columns.data()[o / 2 * in + c] |= pair_of(weight[o * x.channels + c], o);
  }
};

// A part of all pixels: the gradients of the weights, [output][input], and the sums of the gradient
// behind the ReLU and of it times the maps' distance from their means.
class Part {
 public:
  Part(Backward& whole, float* found)
      : of_(whole), weights_(found), ones_(found + whole.out * whole.in), twos_(ones_ + whole.in),
        rows_(kPixels * whole.out / 2), turned_(kPixels / 2 * whole.out),
        activated_(kPixels / 2 * whole.in) {}

  void take(int64_t begin, int64_t end) {
    copy_gradient(begin, end);
    for (int64_t pixel = begin; pixel < end; pixel += kRows) {
      prefetch(of_.x, pixel + 16, kRows, end + 64);
      prefetch(of_.grad_x, pixel + 16, kRows, end + 64);
      column_tiles(of_.in, [&](auto count, int64_t first) {
        __m512 acc[kRows][count] = {};
        const Pair* rows = rows_.data() + (pixel - begin) * of_.out / 2;
        multiply<count>(rows, of_.out / 2, 1, of_.columns.data() + first, of_.in, of_.out / 2, acc);
        for (int n = 0; n < count; ++n)
          if_any(of_.x.channels, first + n * kLanes, [&](auto lanes) {
            __m512 products[kRows];
            for (int r = 0; r < kRows; ++r) products[r] = acc[r][n];
            row_tile(end - pixel, [&](auto count_of_rows) {
              differentiate(products, pixel, count_of_rows, first + n * kLanes, lanes,
                            activated_.data() + (pixel - begin) / 2 * of_.in);
            });
          });
      });
    }
    const int64_t pairs = (end - begin + kRows - 1) / kRows * kRows / 2;
    for (int64_t o = 0; o < of_.out; o += kRows)
      column_tiles(of_.in, [&](auto count, int64_t first) {
        float* to = weights_ + o * of_.in + first;
        __m512 acc[kRows][count];
        for (int r = 0; r < kRows; ++r)
          for (int n = 0; n < count; ++n) acc[r][n] = _mm512_load_ps(to + r * of_.in + n * kLanes);
        const Pair* columns = activated_.data() + first;
        multiply<count>(turned_.data() + o, 1, of_.out, columns, of_.in, pairs, acc);
        for (int r = 0; r < kRows; ++r)
          for (int n = 0; n < count; ++n) _mm512_store_ps(to + r * of_.in + n * kLanes, acc[r][n]);
      });
  }

 private:
  // As pairs of channels, and as pairs of pixels; zeros where there are none.
  void copy_gradient(int64_t begin, int64_t end) {
    for (int64_t c = 0; c < of_.out; c += kLanes)
      if_any(of_.grad.channels, c, [&](auto lanes) {
        __m512i even = _mm512_setzero_si512();
        for (int64_t r = 0; r < kPixels; ++r) {
          __m256i here = _mm256_setzero_si256();
          if (begin + r < end) here = lanes.load_bits(of_.grad.at(begin + r, c));
          _mm256_store_si256(reinterpret_cast<__m256i*>(rows_.data() + (r * of_.out + c) / 2), here);
          const __m512i wide = _mm512_cvtepu16_epi32(here);
          if (r % 2 == 0) even = wide;
          else _mm512_store_si512(turned_.data() + r / 2 * of_.out + c, together(even, wide));
        }
      });
  }

  // Some channels of a few pixels, from the gradients of what the weights were multiplied with.
  template <typename Rows, typename Lanes>
  void differentiate(const __m512 (&products)[kRows], int64_t pixel, Rows rows, int64_t c,
                     Lanes lanes, Pair* activated) {
    const __m512 slope = _mm512_loadu_ps(&of_.line.slope[c]);
    const __m512 offset = _mm512_loadu_ps(&of_.line.offset[c]);
    const __m512 mean = load(of_.mean + c, lanes);
    __m512 one = _mm512_load_ps(ones_ + c), two = _mm512_load_ps(twos_ + c);
    __m512i values[kRows] = {};
    for (int64_t r = 0; r < rows; ++r) {
      const __m512 input = load(of_.x.at(pixel + r, c), lanes);
      const __m512 normed = slope * input + offset, value = if_positive(normed, products[r]);
      one += value;
      two += value * (input - mean);
      values[r] = _mm512_cvtepu16_epi32(rounded(if_positive(normed, normed)));
      Bf16* to = of_.grad_x.at(pixel + r, c);
      store(to, slope * value + load(to, lanes), lanes);
    }
    _mm512_store_ps(ones_ + c, one);
    _mm512_store_ps(twos_ + c, two);
    for (int r = 0; r < kRows; r += 2)
      _mm512_store_si512(activated + r / 2 * of_.in + c, together(values[r], values[r + 1]));
  }

  Backward& of_;
  float *weights_, *ones_, *twos_;
  Aligned<Pair> rows_, turned_;  // the gradient: [pixels][out / 2], [pixels / 2][out]
  Aligned<Pair> activated_;      // relu(norm(x)): [pixels / 2][in]
};

void backward(Backward& whole, const Norm& norm, float* grad_weight, float* grad_norm,
              float* grad_bias, float* along, float* shift, int threads) {
  const int64_t in = whole.in, each = (whole.out + 2) * in;
  const int64_t all = (norm.pixels + kBlock - 1) / kBlock, parts = std::min(kParts, all);
  Aligned<float> found(parts * each);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t p = 0; p < parts; ++p) {
    Part part(whole, found.data() + p * each);
    const int64_t last = std::min(norm.pixels, (p + 1) * all / parts * kBlock);
    for (int64_t begin = p * all / parts * kBlock; begin < last; begin += kPixels)
      part.take(begin, std::min(last, begin + kPixels));
  }
  for (int64_t p = 1; p < parts; ++p)
    for (int64_t k = 0; k < each; ++k) found.data()[k] += found.data()[p * each + k];
  const float *ones = found.data() + whole.out * in, *twos = ones + in;
  for (int64_t o = 0; o < whole.grad.channels; ++o)
    std::copy_n(found.data() + o * in, whole.x.channels, grad_weight + o * whole.x.channels);
  for (int64_t c = 0; c < whole.x.channels; ++c) {
    const double inverse = 1 / std::sqrt(norm.var[c] + norm.eps), slope = whole.line.slope[c];
    const double along_here = -slope * inverse * inverse * twos[c] / norm.pixels;
    grad_bias[c] = ones[c];
    grad_norm[c] = twos[c] * inverse;
    along[c] += along_here;
    shift[c] += -slope * ones[c] / norm.pixels - along_here * norm.mean[c];
  }
}

}  // namespace

extern "C" {

void residua_product(Untyped x, Norm norm, const void* weight, Untyped y, float* mean, float* var,
                     int threads) {
  forward(Maps<const Bf16>(x), norm, static_cast<const Bf16*>(weight), y, mean, var, threads);
}

void residua_product_backward(Untyped grad, Untyped x, Norm norm, const void* weight,
                              Untyped grad_x, float* grad_weight, float* grad_norm,
                              float* grad_bias, float* along, float* shift, int threads) {
  Backward whole(grad, x, grad_x, norm, static_cast<const Bf16*>(weight));
  backward(whole, norm, grad_weight, grad_norm, grad_bias, along, shift, threads);
}

}  // extern "C"

#endif
