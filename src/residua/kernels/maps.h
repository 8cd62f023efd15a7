// Maps as they lie in memory, [pixels][channels]: torch's channels_last, or some consecutive channels
// of such maps.  Registers' worth of channels, read and written in either type; blocks of pixels, of
// a fixed size, so that no result depends on the number of threads.

#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VL__)
#error "AVX-512 (F, BW and VL) is needed"
#endif

// As maps.py fills them in.
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

// So many zeros that begin with a line of the cache: a register's worth lies within one.
template <typename T>
class Aligned {
 public:
  explicit Aligned(int64_t count) : lines_((count * sizeof(T) + 63) / 64) {}
  T* data() { return reinterpret_cast<T*>(lines_.data()); }

 private:
  struct alignas(64) CacheLine {
    char bytes[64];
  };
  std::vector<CacheLine> lines_;
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

// Rounded to the nearest, ties to even, as torch does it; what is not a number stays none.
__m256i rounded(__m512 values) {
#ifdef __AVX512BF16__
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values));
#else
  const __m512i bits = _mm512_castps_si512(values);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
  const __m512i upper = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(upper, nan, _mm512_set1_epi32(0x7fc0)));
#endif
}

template <typename Lanes>
void store(Bf16* to, __m512 values, Lanes lanes) { lanes.store_bits(to, rounded(values)); }

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

}  // namespace
