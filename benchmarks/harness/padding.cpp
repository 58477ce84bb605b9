// How much of a change is caused by layout? Unused bytes move all code behind them without changing it.
//
// Linkers put .text.unlikely before the rest of a program's code (ld's default script; gold, lld and mold do alike).

#define STACKHEAP_TEXT_OF(number) #number
#define STACKHEAP_TEXT(number) STACKHEAP_TEXT_OF(number)

#if defined(__ELF__) && STACKHEAP_PADDING > 0
asm(".pushsection .text.unlikely,\"ax\"\n.skip " STACKHEAP_TEXT(STACKHEAP_PADDING) "\n.popsection");
#endif
