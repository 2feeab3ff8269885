#include "fuzz_main.h"

int MillraceFuzz_main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return millrace_fuzz_replay();
}

// libFuzzer brings a `main` of its own, which takes the place of this one.
__attribute__((weak)) int main(int argc, char **argv) { return MillraceFuzz_main(argc, argv); }
