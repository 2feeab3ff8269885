#include <cblas.h>

// Declared by OpenBLAS but not in cblas.h of every build.
char *openblas_get_corename(void);
char *openblas_get_config(void);
void openblas_set_num_threads(int);
