/* A dense matrix times a vector as it is written down, for a compiler that makes vector instructions of it by itself. */

void multiply(const float *matrix, const float *vector, float *out, int n) {
  for (int row = 0; row < n; row++) {
    float sum = 0;
    for (int i = 0; i < n; i++) sum += matrix[row * n + i] * vector[i];
    out[row] = sum;
  }
}
