internal import CMillraceKernels
internal import COpenBLAS
internal import Glibc

/// Which kernels OpenBLAS runs, and whether that had to be corrected.
public struct OpenBLASStatus: Sendable, Equatable, CustomStringConvertible {
    /// The name of the kernels in use, as `openblas_get_corename` gives it.
    public let core: String
    /// The name that OpenBLAS had chosen by itself.
    public let detectedCore: String
    /// Version and build options.
    public let configuration: String
    /// Whether the kernels in use fall short of the processor's instructions.
    public let isSlow: Bool

    /// Whether OpenBLAS was told to use other kernels than it had chosen.
    public var wasCorrected: Bool { core != detectedCore }

    /// One line for logs, with advice where it is slow.
    public var description: String {
        var text = "OpenBLAS with \(core) kernels"
        if wasCorrected { text += " (it had fallen back to \(detectedCore))" }
        if isSlow {
            text += ", which are slow on this processor: set OPENBLAS_CORETYPE to a better one"
        }
        return text
    }
}

/// The process's copy of OpenBLAS.
public enum OpenBLAS {
    /// Makes OpenBLAS use one thread and kernels that fit the processor; only the first call works.
    ///
    /// A release older than the processor does not know it and falls back to kernels for the oldest
    /// machines. It is then started again with a core type that the processor can run, if the build
    /// has the functions for that. `OPENBLAS_CORETYPE` set by the user is left alone.
    ///
    /// **Thread-safety**: any thread, but before another one computes with OpenBLAS.
    @discardableResult
    public static func prepare() -> OpenBLASStatus { status }

    private static let status: OpenBLASStatus = {
        openblas_set_num_threads(1)
        let detected = unsafe String(cString: openblas_get_corename())
        if Level(core: detected) < .processor, unsafe getenv("OPENBLAS_CORETYPE") == nil {
            restart(as: Level.processor.coreType)
            openblas_set_num_threads(1)
        }
        let core = unsafe String(cString: openblas_get_corename())
        return unsafe OpenBLASStatus(
            core: core, detectedCore: detected,
            configuration: String(cString: openblas_get_config()),
            isSlow: Level(core: core) < .processor)
    }()

    /// How wide the vectors of a core type are.
    private enum Level: Int, Comparable {
        case old, avx2, avx512

        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

        static let processor: Level =
            KernelSet.avx512.isAvailable ? .avx512 : KernelSet.avx2.isAvailable ? .avx2 : .old

        init(core: String) {
            // AMD's Zen cores have no kernels of their own for AVX-512 and do well without.
            let wide = ["skylakex", "cooperlake", "sapphirerapids", "graniterapids", "zen"]
            let middle = ["haswell", "broadwell", "excavator"]
            let name = core.lowercased()
            self = wide.contains(name) ? .avx512 : middle.contains(name) ? .avx2 : .old
        }

        var coreType: String { self == .avx512 ? "SkylakeX" : "Haswell" }
    }

    /// Has OpenBLAS choose its kernels again.
    ///
    /// Without the functions, as on builds for one processor only, nothing changes.
    private static func restart(as coreType: String) {
        guard let readEnvironment = function("openblas_read_env"),
            let quit = function("gotoblas_dynamic_quit"),
            let start = function("gotoblas_dynamic_init")
        else { return }
        unsafe setenv("OPENBLAS_CORETYPE", coreType, 1)
        readEnvironment()
        quit()
        start()
        unsafe unsetenv("OPENBLAS_CORETYPE")
    }

    private static func function(_ name: String) -> (@convention(c) () -> Void)? {
        // SAFETY: the three functions take and return nothing, in every release that has them.
        guard let address = unsafe dlsym(nil, name) else { return nil }
        return unsafe unsafeBitCast(address, to: (@convention(c) () -> Void).self)
    }
}
