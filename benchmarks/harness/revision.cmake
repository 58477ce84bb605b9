# Which revision is built? Writes it as a source file, and only when it changed, so that nothing else is built again.
# -DSOURCE=FOLDER -DOUTPUT=FILE
execute_process(COMMAND sh ${SOURCE}/scripts/suite/version --revision OUTPUT_VARIABLE revision
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
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
