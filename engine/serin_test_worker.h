/* serin_test_worker.h - the worker of the specs: serin's, and what an attacker who had taken over
 * the interpreter could do, as the table `attack`. Only in serin_test. */
#ifndef ENGINE_SERIN_TEST_WORKER_H
#define ENGINE_SERIN_TEST_WORKER_H

#include "worker.h"

/* `mode`: see T.workers. */
int test_worker(const char *mode);

#endif
