import Glibc
import MillraceCompute
import MillraceModels
import Testing

/// `exp`, `sigmoid`, `tanh` and `gelu` of every kernel set against double precision.
///
/// A sample of all floats; with `MILLRACE_ALL_FLOATS=1` every one of the 2^32.
@Suite struct FunctionAccuracyTests {
    struct Function: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var kind: Nonlinearity
        /// In units in the last place of the exact result.
        var bound: Double
        var exact: @Sendable (Double) -> Double
        /// Smaller results have no bound of their own.
        var smallest = Double(Float.leastNormalMagnitude)
    }

    static let functions = [
        Function(testDescription: "exp", kind: .exponential, bound: 2, exact: { exp($0) }),
        Function(
            testDescription: "sigmoid", kind: .sigmoid, bound: 4,
            exact: { $0 >= 0 ? 1 / (1 + exp(-$0)) : exp($0) / (1 + exp($0)) }),
        Function(testDescription: "tanh", kind: .tanh, bound: 4, exact: { tanh($0) }),
    ]

    private static let own = KernelSet.available.filter { $0 != .blas }

    @Test(arguments: own, functions)
    func staysWithinItsBound(kernels: KernelSet, function: Function) {
        let everything = unsafe getenv("MILLRACE_ALL_FLOATS") != nil
        // The step has no factor in common with 2^32, so that all exponents and low bits come up.
        let step: UInt64 = everything ? 1 : 10_007
        var worst = (error: 0.0, at: Float(0))
        var next: UInt64 = 0
        while next < 1 << 32 {
            var block: [Float] = []
            block.reserveCapacity(4096)
            while block.count < 4096, next < 1 << 32 {
                let x = Float(bitPattern: UInt32(next))
                if x.isNormal || x.isZero { block.append(x) }
                next += step
            }
            let found = Self.values(function.kind, block, kernels)
            for (x, y) in zip(block, found) {
                let exact = function.exact(Double(x))
                guard abs(exact) >= function.smallest,
                    exact <= Double(Float.greatestFiniteMagnitude)
                else { continue }
                let error = abs(Double(y) - exact) / Double(Float(exact).ulp)
                if !(error <= worst.error) { worst = (error, x) }
            }
        }
        print("\(kernels) \(function.testDescription): \(worst.error) ulp at \(worst.at)")
        #expect(worst.error <= function.bound, "at \(worst.at)")
    }

    @Test(arguments: own)
    func theEndsAreWhatTheyMustBe(kernels: KernelSet) {
        let ends: [Float] = [-.infinity, -1e30, -200, 0, 200, 1e30, .infinity, .nan]
        let exponential = Self.values(.exponential, ends, kernels)
        #expect(exponential[0...2] == [0, 0, 0] && exponential[3] == 1)
        #expect(exponential[4...6].allSatisfy { $0 == .infinity } && exponential[7].isNaN)
        let sigmoid = Self.values(.sigmoid, ends, kernels)
        #expect(sigmoid[0...2] == [0, 0, 0] && sigmoid[3] == 0.5)
        #expect(sigmoid[4...6] == [1, 1, 1] && sigmoid[7].isNaN)
        let tanh = Self.values(.tanh, ends, kernels)
        #expect(tanh[0...2] == [-1, -1, -1] && tanh[3] == 0)
        #expect(tanh[4...6] == [1, 1, 1] && tanh[7].isNaN)
        let tail = Self.values(.sigmoid, [-20, -50, -80], kernels)
        for (x, y) in zip([-20.0, -50, -80], tail) {
            #expect(abs(Double(y) - exp(x)) <= 3e-7 * exp(x), "sigmoid(\(x)) is \(y)")
        }
    }

    /// Above -6, where the lower tail still matters: relative to the result.
    @Test(arguments: own)
    func theNormalDistributionIsRelativelyAccurate(kernels: KernelSet) {
        let points = (-6_000...6_000).map { Float($0) / 1000 }
        let found = Self.values(.gelu, points, kernels)
        for (x, y) in zip(points, found) {
            let exact = 0.5 * Double(x) * erfc(-Double(x) * 0.5.squareRoot())
            let bound = (6e-7 + 1e-7 * Double(x * x)) * abs(exact) + 1e-38
            #expect(abs(Double(y) - exact) <= bound, "gelu(\(x)) is \(y), not \(exact)")
        }
    }

    private static func values(
        _ function: Nonlinearity, _ x: [Float], _ kernels: KernelSet
    ) -> [Float] {
        var z = x
        var a = x
        // No bias: adding -0 changes nothing, 0 neither.
        Elementwise.activate(
            function, bias: [Float](repeating: -0.0, count: x.count), startBias: 0, rows: 1,
            columns: x.count, z: &z, a: &a, kernels: kernels)
        return a
    }
}
