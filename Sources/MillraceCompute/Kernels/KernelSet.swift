internal import CMillraceKernels
internal import Glibc

/// An implementation of the arithmetic of scoring.
///
/// Within a set, a row's result has the same bits whatever the size of the batch and the row's
/// place in it. Between sets, results differ by rounding, so the set is recorded with them.
public enum KernelSet: String, Sendable, CaseIterable, Codable {
    /// Own kernels for x86-64 with AVX-512 (F, BW, DQ, VL).
    case avx512
    /// Own kernels for x86-64 with AVX2 and FMA.
    case avx2
    /// Own kernels in plain C, without fused multiply-add: the same bits on every processor.
    case portable
    /// OpenBLAS on full tiles of one number of rows, in which every row gets the same bits.
    case blas

    /// Whether this processor and operating system can run it.
    public var isAvailable: Bool {
        switch self {
        case .avx512: unsafe cm_kernels_avx512() != nil
        case .avx2: unsafe cm_kernels_avx2() != nil
        case .portable, .blas: true
        }
    }

    /// The sets that can run here, the best own kernels first.
    public static let available: [KernelSet] = allCases.filter(\.isAvailable)

    /// The set that is used when none is asked for.
    ///
    /// What the environment variable `MILLRACE_KERNELS` names, where that can run here; otherwise own
    /// vector kernels where the processor has them, and OpenBLAS where it has none. The environment is
    /// looked at once; `choose` says what is wrong with it.
    public static let best: KernelSet = {
        do throws(ComputeError) { if let set = try fromEnvironment() { return set } } catch {}
        return KernelSet.avx512.isAvailable
            ? .avx512 : KernelSet.avx2.isAvailable ? .avx2 : .blas
    }()

    /// The set of a name as users write it.
    ///
    /// `auto` means `best`.
    ///
    /// - Throws: `ComputeError` with `unknownKernels` or `unavailableKernels`.
    public static func choose(_ name: String = "auto") throws(ComputeError) -> KernelSet {
        if name != "auto" { return try find(name, fromEnvironment: false) }
        _ = try fromEnvironment()
        return best
    }

    private static func fromEnvironment() throws(ComputeError) -> KernelSet? {
        guard let value = unsafe getenv("MILLRACE_KERNELS") else { return nil }
        let chosen = unsafe String(cString: value)
        return chosen.isEmpty || chosen == "auto"
            ? nil : try find(chosen, fromEnvironment: true)
    }

    private static func find(
        _ name: String, fromEnvironment: Bool
    ) throws(ComputeError) -> KernelSet {
        guard let set = KernelSet(rawValue: name) else {
            throw ComputeError(
                code: .unknownKernels, requested: name, fromEnvironment: fromEnvironment)
        }
        guard set.isAvailable else {
            throw ComputeError(
                code: .unavailableKernels, requested: name, fromEnvironment: fromEnvironment)
        }
        return set
    }
}

/// The C functions of a kernel set.
///
/// `blas` has those of the best own set, for what is not a product.
@safe struct KernelTable: @unchecked Sendable {
    // Sendable: the table is constant data of the program.
    let functions: UnsafePointer<cm_kernel_set>

    init(_ set: KernelSet) {
        let found =
            switch set {
            case .avx512: unsafe cm_kernels_avx512()
            case .avx2: unsafe cm_kernels_avx2()
            case .portable: unsafe cm_kernels_portable()
            case .blas: unsafe cm_kernels_avx512() ?? cm_kernels_avx2() ?? cm_kernels_portable()
            }
        guard let found = unsafe found else {
            preconditionFailure("the \(set) kernels cannot run on this processor")
        }
        unsafe functions = found
    }

    /// Those of the best set, for training.
    static let best = KernelTable(.best)
}
