// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one place where the trace events of trace.h are made. No state, no
 * locking.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
