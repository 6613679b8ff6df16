// SPDX-License-Identifier: GPL-2.0-or-later
/* This module's copy of the library: Kbuild puts an object into one module only. */
#include "../lib/lib.c"
#include "../lib/mem.c"
#include "../lib/job.c"
