/*
 * The version that programs, metrics and dead letters name. A build may give another one.
 */
#ifndef ESTEIRA_BASE_VERSION_H
#define ESTEIRA_BASE_VERSION_H

#ifndef ESTEIRA_VERSION
#define ESTEIRA_VERSION "0.1.0"
#endif

#endif
