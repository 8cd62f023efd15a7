// Mean and variance of each channel, from those of blocks of pixels.

#pragma once

#include "maps.h"

namespace {

class Moments {
 public:
  Moments(int64_t pixels, int64_t channels)
      : pixels_(pixels), width_(padded(channels)), channels_(channels),
        found_((pixels + kBlock - 1) / kBlock * 3 * width_) {}

  // One block.  Sums are about its first pixel: squares of values far from 0 would drown the
  // variance.
  template <typename T>
  void take(Maps<const T> x, int64_t begin, int64_t end) {
    float* first = &found_[begin / kBlock * 3 * width_];
    float *sums = first + width_, *squares = sums + width_;
    for (int64_t c = 0; c < channels_; c += kLanes)
      if_any(channels_, c, [&](auto lanes) {
        _mm512_storeu_ps(first + c, load(x.at(begin, c), lanes));
      });
    tiles(begin, end, channels_, [=](auto count, int64_t pixel, int64_t c, auto lanes) {
      const __m512 from = _mm512_loadu_ps(first + c);
      __m512 one[2] = {_mm512_loadu_ps(sums + c)}, two[2] = {_mm512_loadu_ps(squares + c)};
#pragma GCC unroll 8
      for (int64_t k = 0; k < count; ++k) {
        const __m512 value = load(x.at(pixel + k, c), lanes) - from;
        one[k % 2] += value;
        two[k % 2] += value * value;
      }
      _mm512_storeu_ps(sums + c, one[0] + one[1]);
      _mm512_storeu_ps(squares + c, two[0] + two[1]);
    });
  }

  // Source: Chan et al. 1979, for two parts of a sample.
  void bring_together(float* mean, float* var) const {
    std::vector<double> means(width_), squares(width_);
    for (int64_t begin = 0; begin < pixels_; begin += kBlock) {
      const float* here = &found_[begin / kBlock * 3 * width_];
      const double count = std::min(pixels_ - begin, kBlock), share = count / (begin + count);
      for (int64_t c = 0; c < width_; ++c) {
        const double shift = here[width_ + c] / count, apart = here[c] + shift - means[c];
        squares[c] += here[2 * width_ + c] - count * shift * shift + apart * apart * share * begin;
        means[c] += apart * share;
      }
    }
    for (int64_t c = 0; c < channels_; ++c) {
      mean[c] = means[c];
      var[c] = std::max(squares[c] / pixels_, 0.0);  // in this order NaN stays NaN
    }
  }

 private:
  int64_t pixels_, width_, channels_;
  std::vector<float> found_;  // per block: the first pixel, sums, sums of squares
};

}  // namespace
