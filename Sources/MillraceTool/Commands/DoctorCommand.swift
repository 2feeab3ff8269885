internal import ArgumentParser
internal import Millrace
internal import MillraceCompute
internal import MillraceSystem

/// `millrace doctor`: what this machine offers and what is made of it.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Says what this machine offers and what is used.",
        discussion: "Example: millrace doctor")

    @Flag(help: "Print one JSON document.") var json = false

    /// What a script gets.
    struct Findings: Codable {
        let cores: [Int]
        let kernels: String
        let availableKernels: [String]
        let openBLASCore: String
        let openBLASCorrected: Bool
        let openBLASSlow: Bool
        let openBLASConfiguration: String
        /// Precisions that a version may be scored in, once it is calibrated for them.
        let precisions: [String]
        /// Why versions that are to be scored in bfloat16 are scored in float32; null where not.
        let bfloat16Fallback: String?
        /// The same of int8.
        let int8Fallback: String?
    }

    func run() throws {
        let blas = OpenBLAS.prepare()
        let found = Findings(
            cores: CoreList(automaticOn: .current()).cores, kernels: KernelSet.best.rawValue,
            availableKernels: KernelSet.available.map(\.rawValue), openBLASCore: blas.core,
            openBLASCorrected: blas.wasCorrected, openBLASSlow: blas.isSlow,
            openBLASConfiguration: blas.configuration,
            precisions: Precision.allCases.filter(\.isAvailable).map(\.rawValue),
            bfloat16Fallback: Precision.bfloat16.unavailability,
            int8Fallback: Precision.int8.unavailability)
        if json { return try JSONText.print(found) }
        print("cores        \(found.cores.map(String.init).joined(separator: ", "))")
        print(
            "kernel set   \(found.kernels) (of \(found.availableKernels.joined(separator: ", ")))")
        let note =
            found.openBLASSlow
            ? " - slower than this processor can do; set OPENBLAS_CORETYPE"
            : found.openBLASCorrected ? " - corrected: it had not known this processor" : ""
        print("OpenBLAS     \(found.openBLASCore)\(note)")
        print("             \(found.openBLASConfiguration)")
        let fallbacks = [("bfloat16", found.bfloat16Fallback), ("int8", found.int8Fallback)]
        print("precisions   \(found.precisions.joined(separator: ", "))")
        for (name, reason) in fallbacks {
            guard let reason else { continue }
            print("             \(name), where it is asked for, is scored in float32: \(reason)")
        }
    }
}
