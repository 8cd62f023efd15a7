// Training images from stored bytes in one pass: chosen, normalised, cropped, mirrored.

#include <algorithm>
#include <cstdint>
#include <vector>

struct Images {
  const uint8_t* bytes;  // [images][height][width][channels]
  int64_t height, width, channels;
};

struct Crops {
  int64_t count, pad;
  bool reflect;          // what stands outside of an image; zeros otherwise
  const int64_t *which;  // of the images
  const int64_t *tops, *lefts;  // in the padded image
  const bool* mirrored;
};

namespace {

// Where a row or column of a padded image comes from, for -size < place < 2 * size - 1.
int64_t reflected(int64_t place, int64_t size) {
  if (place < 0) return -place;
  return place < size ? place : 2 * (size - 1) - place;
}

// A row of an image, normalised: (byte / 255 - shift) / scale, in this order, as torch does it.
void normalise(const uint8_t* from, const float* shift, const float* scale, int64_t count,
               float* to) {
  for (int64_t k = 0; k < count; ++k) to[k] = from[k] / 255.0f - shift[k];
  if (scale)
    for (int64_t k = 0; k < count; ++k) to[k] /= scale[k];
}

void copy(const float* from, int64_t pixels, int64_t channels, bool mirrored, float* to) {
  if (!mirrored) {
    std::copy_n(from, pixels * channels, to);
    return;
  }
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t c = 0; c < channels; ++c)
      to[pixel * channels + c] = from[(pixels - 1 - pixel) * channels + c];
}

}  // namespace

extern "C" void residua_crops(Images images, Crops crops, const float* shift, const float* scale,
                              float* to, int threads) {
  const int64_t line = images.width * images.channels, margin = crops.pad * images.channels;
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> row(line + 2 * margin);  // with what stands left and right of it
#pragma omp for schedule(static)
    for (int64_t n = 0; n < crops.count; ++n)
      for (int64_t y = 0; y < images.height; ++y) {
        float* target = to + (n * images.height + y) * line;
        int64_t source = crops.tops[n] + y - crops.pad;
        if (crops.reflect) source = reflected(source, images.height);
        if (source < 0 || source >= images.height) {
          std::fill_n(target, line, 0.0f);
          continue;
        }
        const uint8_t* bytes = images.bytes + (crops.which[n] * images.height + source) * line;
        normalise(bytes, shift + source * line, scale ? scale + source * line : nullptr, line,
                  &row[margin]);
        if (crops.reflect)
          for (int64_t x = -crops.pad; x < 0; ++x) {
            const int64_t far = images.width - 1 - x;
            for (const int64_t place : {x, far})
              std::copy_n(&row[margin + reflected(place, images.width) * images.channels],
                          images.channels, &row[margin + place * images.channels]);
          }
        copy(&row[crops.lefts[n] * images.channels], images.width, images.channels,
             crops.mirrored[n], target);
      }
  }
}
