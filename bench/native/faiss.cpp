// Hamming distances of 512-bit codes by faiss, flat and exact: `faiss ROWS SCANS` prints the microseconds of each search
// for the ten nearest after a few that are not counted, one a line, and last the nearest distance and the version.
#include <faiss/Index.h>
#include <faiss/IndexBinaryFlat.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int count, char **arguments) {
  if (count != 3) return 2;
  constexpr size_t bytes = 64, nearest = 10;
  constexpr int warm = 5;
  const size_t rows = std::strtoul(arguments[1], nullptr, 10);
  const int scans = std::atoi(arguments[2]);
  std::vector<uint64_t> memory((rows + 1) * (bytes / 8));
  uint64_t state = 88172645463325252u;
  for (uint64_t &word : memory) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    word = state;
  }
  const auto *codes = reinterpret_cast<const uint8_t *>(memory.data());
  faiss::IndexBinaryFlat index(8 * bytes);
  index.add(static_cast<faiss::Index::idx_t>(rows), codes);
  std::vector<int32_t> distances(nearest);
  std::vector<faiss::Index::idx_t> labels(nearest);
  for (int i = -warm; i < scans; i++) {
    const auto begin = std::chrono::steady_clock::now();
    index.search(1, codes + rows * bytes, nearest, distances.data(), labels.data());
    const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - begin;
    if (i >= 0) std::printf("%.3f\n", taken.count());
  }
  std::printf("%d %d.%d.%d\n", distances[0], FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH);
}
