#ifndef FUZZ_MAIN_H
#define FUZZ_MAIN_H

#include <stddef.h>
#include <stdint.h>

/// Runs one input. Written in Swift; libFuzzer asks for this name.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// What the program does when it is not linked with libFuzzer. Written in Swift.
int millrace_fuzz_replay(void);

/// The entry point under the name that SwiftPM looks for where it also links tests.
int MillraceFuzz_main(int argc, char **argv);

#endif
