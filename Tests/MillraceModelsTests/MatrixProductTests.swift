import Foundation
import MillraceCompute
import MillraceSystem
import Testing

/// Matrix products of training beside their definition in double.
@Suite struct MatrixProductTests {
    private static func numbers(_ count: Int, _ random: inout SplitMix64) -> [Float] {
        (0..<count).map { _ in Float(2 * random.unit() - 1) }
    }

    struct Shape: CustomTestStringConvertible {
        var rows: Int
        var columns: Int
        var depth: Int
        var testDescription: String { "\(rows)x\(depth) by \(depth)x\(columns)" }
        var size: MatrixProduct.Size {
            MatrixProduct.Size(rows: rows, columns: columns, depth: depth)
        }
    }

    static let shapes = [
        (1, 1, 1), (1, 10, 64), (2, 64, 3), (6, 16, 5), (7, 17, 300), (13, 33, 257), (256, 10, 64),
        (64, 128, 256), (5, 4, 700), (300, 1, 9), (64, 10, 256), (128, 64, 33), (30, 16, 40),
        (11, 8, 21), (19, 74, 65), (9, 27, 48), (7, 2, 130), (70, 120, 8), (5, 9, 15), (8, 12, 8),
    ].map { Shape(rows: $0.0, columns: $0.1, depth: $0.2) }

    @Test(arguments: KernelSet.available, shapes)
    func productsAreThoseOfTheirDefinition(_ kernels: KernelSet, _ shape: Shape) {
        var random = SplitMix64(seed: 11)
        var product = MatrixProduct(kernels)
        let (rows, columns, depth) = (shape.rows, shape.columns, shape.depth)
        for form in [MatrixProduct.Form.plain, .transposedLeft, .transposedRight] {
            let a = Self.numbers(rows * depth, &random)
            let b = Self.numbers(3 + depth * columns, &random)
            var c = [Float](repeating: 7, count: 5 + rows * columns + 40)
            product.multiply(form, shape.size, a.span, b, startB: 3, into: &c, startC: 5)
            var farthest = 0.0
            for i in 0..<rows {
                for j in 0..<columns {
                    var sum = 0.0
                    for k in 0..<depth {
                        let left = form == .transposedLeft ? a[k * rows + i] : a[i * depth + k]
                        let right =
                            form == .transposedRight ? b[3 + j * depth + k] : b[3 + k * columns + j]
                        sum += Double(left) * Double(right)
                    }
                    farthest = max(farthest, abs(Double(c[5 + i * columns + j]) - sum))
                }
            }
            #expect(farthest < 1e-6 * Double(depth).squareRoot() * 4, "\(form)")
            // Nothing beside the result is touched.
            #expect(
                c[..<5].allSatisfy { $0 == 7 } && c[(5 + rows * columns)...].allSatisfy { $0 == 7 })
        }
    }

    /// Whether a product whose second factor is not turned has its last columns by half a vector or one
    /// by one.
    private static func endsInFew(_ columns: Int, _ kernels: KernelSet) -> Bool {
        switch kernels {
        case .avx512: [1, 2, 3, 4, 8, 9, 10, 11].contains(columns % 64)
        case .avx2: (1...4).contains(columns % 16)
        default: (1...3).contains(columns % 8)
        }
    }

    /// However factors are stored; but where few columns are multiplied the other way round, or one by
    /// one.
    @Test(arguments: KernelSet.available.filter { $0 != .blas }, shapes)
    func formsOfAProductHaveTheSameBits(_ kernels: KernelSet, _ shape: Shape) {
        var random = SplitMix64(seed: 13)
        var product = MatrixProduct(kernels)
        let (rows, columns, depth) = (shape.rows, shape.columns, shape.depth)
        let a = Self.numbers(rows * depth, &random)
        let b = Self.numbers(depth * columns, &random)
        func turned(_ x: [Float], _ rows: Int, _ columns: Int) -> [Float] {
            (0..<rows * columns).map { x[$0 % rows * columns + $0 / rows] }
        }
        var plain = [Float](repeating: 0, count: rows * columns)
        var left = plain
        var right = plain
        product.multiply(.plain, shape.size, a.span, b, into: &plain)
        product.multiply(.transposedLeft, shape.size, turned(a, rows, depth).span, b, into: &left)
        product.multiply(
            .transposedRight, shape.size, a.span, turned(b, depth, columns), into: &right)
        #expect(left == plain || columns % 64 != 0)
        #expect(right == plain || Self.endsInFew(columns, kernels))
    }

    @Test(arguments: KernelSet.available.filter { $0 != .blas })
    func aRowOfAProductHasTheSameBitsAmongAnyOthers(_ kernels: KernelSet) {
        var random = SplitMix64(seed: 12)
        var product = MatrixProduct(kernels)
        let (rows, columns, depth) = (37, 21, 600)
        let a = Self.numbers(rows * depth, &random)
        let b = Self.numbers(depth * columns, &random)
        var whole = [Float](repeating: 0, count: rows * columns)
        var part = whole
        for form in [MatrixProduct.Form.plain, .transposedRight] {
            product.multiply(
                form, MatrixProduct.Size(rows: rows, columns: columns, depth: depth), a.span, b,
                into: &whole)
            for height in [1, 2, 5, 16] {
                let size = MatrixProduct.Size(rows: height, columns: columns, depth: depth)
                product.multiply(
                    form, size, a.span.extracting(depth * 3..<depth * (3 + height)), b,
                    into: &part)
                #expect(
                    part[..<(height * columns)].elementsEqual(
                        whole[3 * columns..<(3 + height) * columns]), "\(height) rows")
            }
        }
    }

    @Test(arguments: KernelSet.available)
    func layersAndSlopesAreThoseOfTheirDefinition(_ kernels: KernelSet) {
        var random = SplitMix64(seed: 13)
        var product = MatrixProduct(kernels)
        let (rows, columns, depth) = (19, 86, 31)
        let size = MatrixProduct.Size(rows: rows, columns: columns, depth: depth)
        let x = Self.numbers(rows * depth, &random)
        let parameters = Self.numbers(2 + depth * columns + columns, &random)
        for function in [Nonlinearity.identity, .relu, .leakyReLU, .tanh, .sigmoid, .gelu] {
            var z = [Float](repeating: 0, count: rows * columns)
            var y = z
            product.layer(
                size, x.span, parameters: parameters, weights: 2, bias: 2 + depth * columns,
                function, z: &z, y: &y)
            var slopes = [Float](repeating: 1, count: rows * columns)
            var sums = [Float](repeating: 7, count: columns + 2)
            Elementwise.differentiate(
                function, z: function.derivativeNeedsArgument ? z : nil, a: y, delta: &slopes,
                rows: rows, columns: columns, sums: &sums, start: 1, kernels: kernels)
            for j in 0..<columns {
                // From first to last, to the bit.
                let sum = (0..<rows).reduce(Float(0)) { $0 + slopes[$1 * columns + j] }
                #expect(sums[1 + j] == sum)
            }
            #expect(sums[0] == 7 && sums[columns + 1] == 7)
            for i in 0..<rows {
                for j in 0..<columns {
                    var sum = Double(parameters[2 + depth * columns + j])
                    for k in 0..<depth {
                        sum += Double(x[i * depth + k]) * Double(parameters[2 + k * columns + j])
                    }
                    let (value, slope) = Self.apply(function, sum)
                    let at = i * columns + j
                    #expect(abs(Double(y[at]) - value) < 1e-5, "\(function)")
                    // Beside the corner of a rectifier either slope is right.
                    if abs(sum) > 1e-5 {
                        #expect(abs(Double(slopes[at]) - slope) < 2e-5, "\(function)")
                    }
                }
            }
        }
    }

    /// Slopes that are multiplied within a product have the bits of both steps, in panels that are
    /// full and others.
    @Test(
        arguments: KernelSet.available,
        [(1, 64), (2, 144), (3, 64), (23, 16), (23, 64), (23, 85), (256, 144)])
    func slopesOfAProductAreThoseOfBothSteps(_ kernels: KernelSet, _ shape: (Int, Int)) {
        var random = SplitMix64(seed: 14)
        var product = MatrixProduct(kernels)
        let ((rows, columns), depth) = (shape, 150)
        let size = MatrixProduct.Size(rows: rows, columns: columns, depth: depth)
        let a = Self.numbers(rows * depth, &random)
        let b = Self.numbers(3 + columns * depth, &random)
        let values = Self.numbers(rows * columns, &random)
        let z = Self.numbers(rows * columns, &random)
        for function in [Nonlinearity.identity, .relu, .leakyReLU, .tanh, .sigmoid, .gelu] {
            let z = function.derivativeNeedsArgument ? z : nil
            var expected = [Float](repeating: 0, count: rows * columns)
            var expectedSums = [Float](repeating: 7, count: columns + 2)
            product.multiply(.transposedRight, size, a.span, b, startB: 3, into: &expected)
            Elementwise.differentiate(
                function, z: z, a: values, delta: &expected, rows: rows, columns: columns,
                sums: &expectedSums, start: 1, kernels: kernels)
            var found = [Float](repeating: 5, count: rows * columns)
            var sums = [Float](repeating: 7, count: columns + 2)
            product.slopes(
                size, a.span, b, startB: 3,
                MatrixProduct.Derivative(function, z: z, values: values), into: &found,
                sums: &sums, start: 1)
            #expect(found == expected && sums == expectedSums, "\(function)")
        }
    }

    private static func apply(_ function: Nonlinearity, _ x: Double) -> (Double, Double) {
        switch function {
        case .relu: return (max(x, 0), x > 0 ? 1 : 0)
        case .leakyReLU: return (x > 0 ? x : 0.01 * x, x > 0 ? 1 : 0.01)
        case .tanh: return (tanh(x), 1 - tanh(x) * tanh(x))
        case .sigmoid:
            let y = 1 / (1 + exp(-x))
            return (y, y * (1 - y))
        case .gelu:
            let normal = 0.5 * erfc(-x / 2.0.squareRoot())
            return (x * normal, normal + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
        default: return (x, 1)
        }
    }

    @Test(arguments: KernelSet.available)
    func columnsAreAddedUp(_ kernels: KernelSet) {
        var random = SplitMix64(seed: 14)
        for columns in [1, 3, 8, 29] {
            let x = Self.numbers(50 * columns, &random)
            var y = [Float](repeating: 7, count: columns + 4)
            MatrixProduct(kernels).sumColumns(x, rows: 50, columns: columns, into: &y, start: 2)
            for column in 0..<columns {
                let sum = (0..<50).reduce(0.0) { $0 + Double(x[$1 * columns + column]) }
                #expect(abs(Double(y[2 + column]) - sum) < 1e-5)
            }
            #expect(y[0] == 7 && y[1] == 7 && y[columns + 2] == 7 && y[columns + 3] == 7)
        }
    }
}
