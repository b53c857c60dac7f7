#include "textflag.h"

// The bits of an element's trailer, by kind: none for literals, one byte, two.
DATA snappyMasks<>+0(SB)/8, $0
DATA snappyMasks<>+8(SB)/8, $0xff
DATA snappyMasks<>+16(SB)/8, $0xffff
DATA snappyMasks<>+24(SB)/8, $0
GLOBL snappyMasks<>(SB), RODATA|NOPTR, $32

// func snappyFast(dst, src unsafe.Pointer, d, s, dEnd, sEnd int, table *[256]uint32) (d2, s2 int)
TEXT ·snappyFast(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ dEnd+32(FP), R8
	MOVQ sEnd+40(FP), R9
	MOVQ table+48(FP), R10
	LEAQ snappyMasks<>(SB), R15
	MOVQ DI, R13            // the start of dst
	ADDQ DI, R8             // the fast region's end in dst
	ADDQ SI, R9             // and in src
	ADDQ d+16(FP), DI       // the next byte to write
	ADDQ s+24(FP), SI       // the element
	MOVQ (SI), AX           // its first bytes

	PCALIGN $32
loop:
	CMPQ DI, R8
	JGE  done
	MOVBLZX AX, CX          // the tag
	MOVL (R10)(CX*4), BX    // its entry
	MOVQ CX, DX
	SHRQ $2, CX
	ANDQ $3, DX             // kind; 0: literal
	LEAQ 1(SI), R12         // source of a literal
	LEAQ 2(SI)(CX*1), CX    // the next element after a literal
	LEAQ 1(SI)(DX*1), R11   // the next element after a copy
	TESTQ DX, DX
	CMOVQNE R11, CX
	SHRQ $8, AX
	ANDQ (R15)(DX*8), AX    // the trailer
	MOVQ (CX), R14          // the next element's first bytes, early
	MOVL BX, R11
	SHRQ $16, R11
	ADDQ AX, R11            // offset
	MOVQ DI, AX
	SUBQ R11, AX            // source of a copy
	TESTQ DX, DX
	CMOVQNE AX, R12
	CMPQ AX, R13            // before the start of dst?
	JLT  done
	MOVBLZX BX, BX          // length
	TESTQ BX, BX
	JEQ  rare

move:
	CMPQ R11, $16           // so close that 16 bytes overlap?
	JLT  near
	MOVOU (R12), X0
	MOVOU X0, (DI)
	MOVOU 16(R12), X1
	MOVOU X1, 16(DI)
	MOVQ CX, SI
	MOVQ R14, AX
	CMPQ BX, $32
	JGT  long
	ADDQ BX, DI
	CMPQ SI, R9
	JLT  loop
	JMP  done

long:
	MOVOU 32(R12), X0
	MOVOU X0, 32(DI)
	MOVOU 48(R12), X1
	MOVOU X1, 48(DI)
	ADDQ BX, DI
	CMPQ SI, R9
	JLT  loop

	JMP  done

rare:
	// A copy from an offset of four bytes, or an element for the caller. Some
	// writers have windows of more than 64 kB, most have not, so that the way
	// to here is well predicted in files of either sort.
	CMPQ DX, $3
	JNE  done
	MOVBLZX (SI), BX
	SHRQ $2, BX
	ADDQ $1, BX             // length
	MOVL 1(SI), R11         // offset
	LEAQ 5(SI), CX          // the next element
	MOVQ DI, R12
	SUBQ R11, R12           // source
	CMPQ R12, R13
	JLT  done
	MOVQ (CX), R14
	JMP  move

near:
	// Moves of 8 bytes, one after the other. While the offset is less, each
	// move makes offset bytes right, and the pattern twice as long.
	TESTQ R11, R11
	JLE  done
	LEAQ (DI)(BX*1), DX     // the copy's end
	MOVQ DI, AX

double:
	CMPQ R11, $8
	JGE  eight
	MOVQ (R12), SI
	MOVQ SI, (AX)
	ADDQ R11, AX
	ADDQ R11, R11
	JMP  double

eight:
	MOVQ (R12), SI
	MOVQ SI, (AX)
	ADDQ $8, R12
	ADDQ $8, AX
	CMPQ AX, DX
	JLT  eight
	MOVQ DX, DI
	MOVQ CX, SI
	MOVQ R14, AX
	CMPQ SI, R9
	JLT  loop

done:
	SUBQ R13, DI
	SUBQ src+8(FP), SI
	MOVQ DI, d2+56(FP)
	MOVQ SI, s2+64(FP)
	RET
