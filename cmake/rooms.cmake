# rooms.cmake - the functions with which CMakeLists.txt lists the rooms of src/.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED COMPONENTS Crypto SSL)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(SECP256K1 REQUIRED IMPORTED_TARGET libsecp256k1)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(SQLCIPHER REQUIRED IMPORTED_TARGET sqlcipher)
if(XMTP_NODE)
  pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv)
  pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
  pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
  pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
endif()
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
if(XMTP_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

set(XMTP_VECTORS_DEFAULT "${CMAKE_SOURCE_DIR}/../shared/vectors")

# mls.forgotten reads all memory of its process, valgrind's own too; mls.faults would take minutes; the constant-time
# tests start valgrind by themselves.
set(XMTP_NOT_UNDER_VALGRIND mls.forgotten mls.faults mls.constant_time crypto.constant_time)

# xmtp_test(<name> <file> <library>...): one cmocka executable, known to CTest as <name>.
function(xmtp_test name file)
  string(REPLACE "." "_" target "test_${name}")
  add_executable(${target} ${file})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  target_compile_definitions(${target} PRIVATE XMTP_VECTORS_DEFAULT="${XMTP_VECTORS_DEFAULT}")
  target_link_libraries(${target} PRIVATE ${ARGN} PkgConfig::CMOCKA PkgConfig::CJSON Threads::Threads m)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
  if(name IN_LIST XMTP_NOT_UNDER_VALGRIND)
    set_tests_properties(${name} PROPERTIES LABELS not_under_valgrind)
  endif()
endfunction()

# Unit tests lie beside what they test: src/<room>/<file>_test.c.
function(xmtp_room_tests room)
  add_custom_target(${room}_tests)
  if(NOT XMTP_TESTS)
    return()
  endif()
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*_test.c)
  foreach(file ${tests})
    get_filename_component(base ${file} NAME_WE)
    string(REGEX REPLACE "_test$" "" base ${base})
    xmtp_test(${room}.${base} ${file} ${ARGN})
    add_dependencies(${room}_tests test_${room}_${base})
  endforeach()
endfunction()

# xmtp_wrap(<test> <function>...): in this test the library calls __wrap_<function> of the test instead.
function(xmtp_wrap name)
  string(REPLACE "." "_" target "test_${name}")
  if(TARGET ${target})
    foreach(function ${ARGN})
      target_link_options(${target} PRIVATE -Wl,--wrap=${function})
    endforeach()
  endif()
endfunction()

function(xmtp_room_sources room out)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*.c)
  list(FILTER sources EXCLUDE REGEX "_test\\.c$")
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# xmtp_room(<room> DEPENDS <rooms> LIBRARIES <targets>): library xmtp_<room> of src/<room>/*.c.
function(xmtp_room room)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LIBRARIES" ${ARGN})
  xmtp_room_sources(${room} sources)
  list(TRANSFORM ROOM_DEPENDS PREPEND xmtp_)
  if(sources)
    add_library(xmtp_${room} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(xmtp_${room} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(xmtp_${room} ${scope} ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(xmtp_${room} ${scope} ${ROOM_DEPENDS} ${ROOM_LIBRARIES} Threads::Threads)
  xmtp_room_tests(${room} xmtp_${room})
endfunction()

# The same for src/proto, whose sources are generated from its .proto files at build time.
function(xmtp_protobuf_room room)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LIBRARIES" ${ARGN})
  find_program(PROTOC_C protoc-c REQUIRED)
  file(GLOB protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*.proto)
  set(generated_dir ${CMAKE_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${generated_dir}/${room})
  set(generated)
  foreach(proto ${protos})
    get_filename_component(base ${proto} NAME_WE)
    set(files ${generated_dir}/${room}/${base}.pb-c.c ${generated_dir}/${room}/${base}.pb-c.h)
    add_custom_command(OUTPUT ${files}
      COMMAND ${PROTOC_C} --proto_path=${CMAKE_SOURCE_DIR}/src --c_out=${generated_dir} ${room}/${base}.proto
      DEPENDS ${protos} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/src)
    list(APPEND generated ${files})
  endforeach()
  # Generated code is not ours to style.
  set_source_files_properties(${generated} PROPERTIES COMPILE_OPTIONS "-w")
  xmtp_room_sources(${room} sources)
  list(TRANSFORM ROOM_DEPENDS PREPEND xmtp_)
  if(NOT generated)
    add_library(xmtp_${room} INTERFACE)
    xmtp_room_tests(${room})
    return()
  endif()
  add_library(xmtp_${room} STATIC ${sources} ${generated})
  target_include_directories(xmtp_${room} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  target_include_directories(xmtp_${room} SYSTEM PUBLIC ${generated_dir})
  target_link_libraries(xmtp_${room} PUBLIC ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  xmtp_room_tests(${room} xmtp_${room})
endfunction()

# xmtp_descriptors(<room> <symbol>): src/<room>/api/*.proto with all they import, as a FileDescriptorSet in the room's
# library: const uint8_t <symbol>[], const size_t <symbol>_len.
function(xmtp_descriptors room symbol)
  file(GLOB protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/api/*.proto)
  file(GLOB imported CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/proto/*.proto)
  set(out ${CMAKE_BINARY_DIR}/generated/${symbol})
  add_custom_command(OUTPUT ${out}.c
    COMMAND ${PROTOC_C} --proto_path=${CMAKE_SOURCE_DIR}/src --descriptor_set_out=${out}.pb --include_imports ${protos}
    COMMAND ${CMAKE_COMMAND} -DIN=${out}.pb -DOUT=${out}.c -DNAME=${symbol} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${protos} ${imported} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake)
  target_sources(xmtp_${room} PRIVATE ${out}.c)
endfunction()

# xmtp_executable(<room> NAME <program> DEPENDS <rooms> LIBRARIES <targets>): a program of src/<room>/*.c.
function(xmtp_executable room)
  cmake_parse_arguments(ROOM "" "NAME" "DEPENDS;LIBRARIES" ${ARGN})
  xmtp_room_sources(${room} sources)
  if(NOT sources)
    return()
  endif()
  list(TRANSFORM ROOM_DEPENDS PREPEND xmtp_)
  add_executable(${ROOM_NAME} ${sources})
  target_link_libraries(${ROOM_NAME} PRIVATE ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  install(TARGETS ${ROOM_NAME})
endfunction()

# Folders beside src/ that say themselves what they build.
function(xmtp_extra folder)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${CMAKE_SOURCE_DIR}/${folder})
  endif()
endfunction()
