# The public contract as constants of service_intake; included after service(intake).
find_program(ESTEIRA_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED) # Debian's, with python3-yaml
set(openapi_data ${CMAKE_BINARY_DIR}/generated/openapi_data.c)
add_custom_command(
  OUTPUT ${openapi_data}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
  COMMAND ${ESTEIRA_PYTHON} ${CMAKE_SOURCE_DIR}/services/intake/api/openapi.py
          ${CMAKE_SOURCE_DIR}/schemas/openapi.yaml ${openapi_data}
  DEPENDS ${CMAKE_SOURCE_DIR}/services/intake/api/openapi.py
          ${CMAKE_SOURCE_DIR}/schemas/openapi.yaml
  VERBATIM)
target_sources(service_intake PRIVATE ${openapi_data})
