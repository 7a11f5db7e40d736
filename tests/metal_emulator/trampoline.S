// Message sends. objc_msgSend asks the runtime which function answers a selector, then jumps to it with every argument
// where the caller put it: general and vector argument registers are saved around the look-up, the stack is not touched.

#if defined(__x86_64__)

.macro SEND name, self, selector
        .text
        .globl  \name
        .type   \name, @function
        .p2align 4
\name:
        .cfi_startproc
        endbr64
        testq   \self, \self
        je      1f
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        subq    $192, %rsp
        movq    %rdi, (%rsp)
        movq    %rsi, 8(%rsp)
        movq    %rdx, 16(%rsp)
        movq    %rcx, 24(%rsp)
        movq    %r8, 32(%rsp)
        movq    %r9, 40(%rsp)
        movups  %xmm0, 48(%rsp)
        movups  %xmm1, 64(%rsp)
        movups  %xmm2, 80(%rsp)
        movups  %xmm3, 96(%rsp)
        movups  %xmm4, 112(%rsp)
        movups  %xmm5, 128(%rsp)
        movups  %xmm6, 144(%rsp)
        movups  %xmm7, 160(%rsp)
        movq    \self, %rdi
        movq    \selector, %rsi
        callq   metal_emulator_find_method
        movq    %rax, %r11
        movq    (%rsp), %rdi
        movq    8(%rsp), %rsi
        movq    16(%rsp), %rdx
        movq    24(%rsp), %rcx
        movq    32(%rsp), %r8
        movq    40(%rsp), %r9
        movups  48(%rsp), %xmm0
        movups  64(%rsp), %xmm1
        movups  80(%rsp), %xmm2
        movups  96(%rsp), %xmm3
        movups  112(%rsp), %xmm4
        movups  128(%rsp), %xmm5
        movups  144(%rsp), %xmm6
        movups  160(%rsp), %xmm7
        leave
        .cfi_def_cfa %rsp, 8
        jmpq    *%r11
1:
        // A message to nil returns zero in every register that can hold a result.
        xorl    %eax, %eax
        xorl    %edx, %edx
        pxor    %xmm0, %xmm0
        pxor    %xmm1, %xmm1
        retq
        .cfi_endproc
        .size   \name, .-\name
.endm

// With a structure in memory as the result, its address comes first and self and selector one register later. (The
// selector is read after self has been moved, so it must not live in %rdi.)
SEND objc_msgSend, %rdi, %rsi
SEND objc_msgSend_fpret, %rdi, %rsi
SEND objc_msgSend_stret, %rsi, %rdx

#elif defined(__aarch64__)

.macro SEND name
        .text
        .globl  \name
        .type   \name, %function
        .p2align 4
\name:
        .cfi_startproc
        cbz     x0, 1f
        stp     x29, x30, [sp, #-224]!
        .cfi_def_cfa_offset 224
        .cfi_offset x29, -224
        .cfi_offset x30, -216
        mov     x29, sp
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        str     x8, [sp, #80]
        stp     q0, q1, [sp, #96]
        stp     q2, q3, [sp, #128]
        stp     q4, q5, [sp, #160]
        stp     q6, q7, [sp, #192]
        bl      metal_emulator_find_method
        mov     x16, x0
        ldp     x0, x1, [sp, #16]
        ldp     x2, x3, [sp, #32]
        ldp     x4, x5, [sp, #48]
        ldp     x6, x7, [sp, #64]
        ldr     x8, [sp, #80]
        ldp     q0, q1, [sp, #96]
        ldp     q2, q3, [sp, #128]
        ldp     q4, q5, [sp, #160]
        ldp     q6, q7, [sp, #192]
        ldp     x29, x30, [sp], #224
        br      x16
1:
        mov     x1, #0
        movi    v0.2d, #0
        movi    v1.2d, #0
        movi    v2.2d, #0
        movi    v3.2d, #0
        ret
        .cfi_endproc
        .size   \name, .-\name
.endm

SEND objc_msgSend
SEND objc_msgSend_fpret
SEND objc_msgSend_stret

#else
#error "trampoline.S knows x86-64 and aarch64"
#endif

        .section .note.GNU-stack,"",%progbits
