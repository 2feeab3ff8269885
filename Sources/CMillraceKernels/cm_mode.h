// The floating-point mode that results depend on: rounding to nearest, no traps, and denormal
// numbers kept or flushed to zero.
#ifndef CM_MODE_H
#define CM_MODE_H

#include <stdint.h>

typedef uint64_t cm_mode;

#if defined(__x86_64__)

#include <xmmintrin.h>

// All exceptions masked; the low six bits are flags of what has happened, no mode.
#define CM_MODE_KEEP 0x1F80u
#define CM_MODE_FLUSH (CM_MODE_KEEP | 0x8000u | 0x0040u)
#define CM_MODE_FLAGS 0x003Fu

static inline cm_mode cm_read_mode(void) { return _mm_getcsr(); }
static inline void cm_write_mode(cm_mode mode) { _mm_setcsr((unsigned)mode); }

#elif defined(__aarch64__)

#define CM_MODE_KEEP 0u
#define CM_MODE_FLUSH (1u << 24)
#define CM_MODE_FLAGS 0u

static inline cm_mode cm_read_mode(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}

static inline void cm_write_mode(cm_mode mode) {
    __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory");
}

#else
#error "no floating-point mode for this processor"
#endif

// Sets the mode and returns the caller's. Writing the register is slow, reading is not.
static inline cm_mode cm_enter_mode(int flush) {
    const cm_mode wanted = flush ? CM_MODE_FLUSH : CM_MODE_KEEP;
    const cm_mode found = cm_read_mode();
    if ((found ^ wanted) & ~(cm_mode)CM_MODE_FLAGS) cm_write_mode(wanted);
    return found;
}

static inline void cm_leave_mode(cm_mode caller, int flush) {
    const cm_mode used = flush ? CM_MODE_FLUSH : CM_MODE_KEEP;
    if ((caller ^ used) & ~(cm_mode)CM_MODE_FLAGS) cm_write_mode(caller);
}

#endif
