# Which revision is built? Writes it as a source file, and only when it changed, so that nothing else is built again.
# -DSOURCE=FOLDER -DOUTPUT=FILE
set(revision "")
# A folder within somebody else's repository is not of that repository's revision.
execute_process(COMMAND git -C ${SOURCE} rev-parse --show-prefix RESULT_VARIABLE failed OUTPUT_VARIABLE prefix
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(failed EQUAL 0 AND prefix STREQUAL "")
  set(ENV{GIT_OPTIONAL_LOCKS} 0) # the index may be somebody's who commits at this moment
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty OUTPUT_VARIABLE revision
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
else()
  file(STRINGS ${SOURCE}/benchmarks/harness/revision.txt archived REGEX "^[^#]" LIMIT_COUNT 1)
  if(archived MATCHES "^([0-9A-Za-z._/-]+)?[|]([0-9a-f]+)$") # git archive filled it in: the description, else the commit
    set(revision "${CMAKE_MATCH_1}")
    if(revision STREQUAL "")
      set(revision "${CMAKE_MATCH_2}")
    endif()
  endif()
endif()
if(NOT revision MATCHES "^[0-9A-Za-z._/-]+$")
  set(revision "")
endif()
string(SUBSTRING "${revision}" 0 99 revision)
# Of one size, so that two revisions differ in nothing but their code.
set(text "extern const char stackheap_revision[100];\nconst char stackheap_revision[100] = \"${revision}\";\n")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUTPUT} "${text}")
endif()
