# Warnings and hardening flags; each hardening flag is probed, because gcc 12 and clang 14 lack some of
# the OpenSSF list.
include(CheckCCompilerFlag)

# Asserts stay in: a bug that is caught is an exit, one that is not is somebody's money.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes -Wvla
                    -Wformat=2 -Wno-missing-field-initializers
                    $<$<C_COMPILER_ID:Clang>:-Wno-gnu-zero-variadic-macro-arguments>)
if(ESTEIRA_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE)
if(ESTEIRA_FAILPOINTS)
  add_compile_definitions(ESTEIRA_FAILPOINTS)
endif()
if(ESTEIRA_SABOTAGE)
  add_compile_definitions(ESTEIRA_SABOTAGE)
endif()

function(probe_flag flag)
  string(MAKE_C_IDENTIFIER "takes${flag}" known)
  check_c_compiler_flag("-Werror -Wformat ${flag}" ${known}) # gcc ignores format-security without it
  if(${known})
    add_compile_options(${flag})
  endif()
endfunction()

foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
        -mbranch-protection=standard -fstrict-flex-arrays=3 -ftrivial-auto-var-init=zero
        -fzero-init-padding-bits=all -fno-delete-null-pointer-checks -fno-strict-overflow
        -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types
        -Werror=int-conversion -Wimplicit-fallthrough -Wtrampolines -Wbidi-chars=any)
  probe_flag(${flag})
endforeach()

add_compile_options(-fno-common -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)

if(ESTEIRA_SANITIZE)
  add_compile_options(-fsanitize=${ESTEIRA_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ESTEIRA_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(ESTEIRA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
