#ifndef INFERENCE_PEERS_H
#define INFERENCE_PEERS_H

#include <stddef.h>
#include <stdint.h>

/// Other engines, loaded while the program runs, through their C interfaces; and what the processor
/// does at best.

/// A model in ONNX Runtime or OpenVINO, with input and output bound once.
typedef struct ip_peer ip_peer;

/// A session of the ONNX Runtime in `library` on one thread, for a model file of `rows` rows; null
/// with a line on standard error when something fails.
ip_peer *ip_open_onnxruntime(const char *library, const char *model, size_t rows, size_t inputs,
                             size_t outputs, float *x, float *y);

/// The same with the OpenVINO whose C interface is in `library`: one stream, one thread, arithmetic
/// in `precision` ("f32" or "bf16").
ip_peer *ip_open_openvino(const char *library, const char *precision, const char *model,
                          size_t rows, size_t inputs, size_t outputs, float *x, float *y);

/// Runs the model `calls` times; returns whether all went well.
int ip_run(ip_peer *peer, size_t calls);

/// Nanoseconds of a clock that does not jump.
uint64_t ip_now(void);

/// Multiplications and additions a nanosecond, in fused operations of the widest vectors on
/// registers alone.
double ip_fma_peak(void);

/// Bytes a nanosecond when `bytes` bytes are read `times` times with vector loads and added up.
double ip_read_rate(const float *x, size_t bytes, size_t times);

/// A chain of additions that takes about as long as `nanoseconds`: length in links.
size_t ip_spin_length(double nanoseconds);

/// Runs the chain.
float ip_spin(size_t links);

/// The processor's time stamp.
uint64_t ip_ticks(void);

#endif
