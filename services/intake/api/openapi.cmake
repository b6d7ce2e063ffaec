# The public contract as constants of service_intake; included after service(intake).
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(openapi_data ${CMAKE_BINARY_DIR}/generated/openapi_data.c)
add_custom_command(
  OUTPUT ${openapi_data}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/services/intake/api/openapi.py
          ${CMAKE_SOURCE_DIR}/schemas/openapi.yaml ${openapi_data}
  DEPENDS ${CMAKE_SOURCE_DIR}/services/intake/api/openapi.py
          ${CMAKE_SOURCE_DIR}/schemas/openapi.yaml
  VERBATIM)
target_sources(service_intake PRIVATE ${openapi_data})
