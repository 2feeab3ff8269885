internal import CMillraceKernels

/// Matrix products of training on one thread, by the kernels of a set.
///
/// Own kernels sum the places of the depth in an order that the shape of the second factor decides,
/// so that its bits do not depend on the number of rows; `blas` leaves the order to OpenBLAS.
/// **Layout**: row-major, without gaps between rows.
/// **Thread-safety**: one owner.
package struct MatrixProduct: Sendable {
    /// Which factor is stored with rows and columns exchanged.
    package enum Form: Sendable { case plain, transposedLeft, transposedRight }

    /// `rows` by `depth` times `depth` by `columns`.
    package struct Size: Sendable {
        var rows: Int
        var columns: Int
        var depth: Int

        package init(rows: Int, columns: Int, depth: Int) {
            precondition(rows > 0 && columns > 0 && depth > 0, "an empty product")
            self.rows = rows
            self.columns = columns
            self.depth = depth
        }
    }

    package let kernels: KernelSet
    private let table: KernelTable
    private var scratch: [Float] = []

    package init(_ kernels: KernelSet) {
        self.kernels = kernels
        table = KernelTable(kernels)
    }

    /// `c[rows, columns] = a * b`.
    ///
    /// **Shape**: `a` is `[rows, depth]`, or `[depth, rows]` when transposed; `b` is
    /// `[depth, columns]`, or `[columns, depth]` when transposed. `b` and `c` begin at elements
    /// `startB` and `startC` of their arrays.
    package mutating func multiply(
        _ form: Form, _ size: Size, _ a: Span<Float>, _ b: [Float], startB: Int = 0,
        into c: inout [Float], startC: Int = 0
    ) {
        if kernels == .blas {
            return BLAS.multiply(form, size, a, b, startB: startB, into: &c, startC: startC)
        }
        unsafe own(form, size, a, b, startB: startB, into: &c, startC: startC)
    }

    /// What `slopes` multiplies by: the derivative of `function`, from its `values` and, where these do
    /// not tell, its arguments `z`, both `[rows, columns]` as the product.
    package struct Derivative {
        let function: Nonlinearity
        let z: [Float]?
        let values: [Float]

        package init(_ function: Nonlinearity, z: [Float]?, values: [Float]) {
            self.function = function
            self.z = z
            self.values = values
        }
    }

    /// `c[rows, columns] = (a * b) * derivative`, element by element, for `b` as `[columns, depth]`;
    /// then `sums`, from element `start` on, gets the sums of the columns of `c`, rows from first to
    /// last.
    ///
    /// `b` begins at element `startB` of its array.
    package mutating func slopes(
        _ size: Size, _ a: Span<Float>, _ b: [Float], startB: Int, _ derivative: Derivative,
        into c: inout [Float], sums: inout [Float], start: Int
    ) {
        guard kernels != .blas else {
            multiply(.transposedRight, size, a, b, startB: startB, into: &c)
            return Elementwise.differentiate(
                derivative.function, z: derivative.z, a: derivative.values, delta: &c,
                rows: size.rows, columns: size.columns, sums: &sums, start: start,
                kernels: kernels)
        }
        let z = derivative.z ?? derivative.values
        Shape.check(
            min(z.count, derivative.values.count), rows: size.rows, columns: size.columns,
            stride: size.columns)
        Shape.check(sums.count, from: start, rows: 1, columns: size.columns, stride: size.columns)
        // SAFETY: the arrays hold what the product has, and the sums begin within theirs.
        unsafe z.withUnsafeBufferPointer { z in
            unsafe derivative.values.withUnsafeBufferPointer { values in
                unsafe sums.withUnsafeMutableBufferPointer { sums in
                    let slopes = unsafe cm_slopes(
                        function: derivative.function.rawValue, z: z.baseAddress,
                        values: values.baseAddress,
                        totals: sums.baseAddress.unsafelyUnwrapped + start)
                    unsafe own(
                        .transposedRight, size, a, b, startB: startB, into: &c, slopes: slopes)
                }
            }
        }
    }

    /// `y = function(x * w + bias)` for `[rows, depth]`; `w` is `[depth, columns]`.
    ///
    /// Weights and bias begin at elements of `parameters`. `z` gets what the function is applied to
    /// where its derivative needs that. Rows that come `fromMemory` are asked for some ahead.
    package mutating func layer(
        _ size: Size, _ x: Span<Float>, fromMemory: Bool = false, parameters: [Float],
        weights: Int, bias: Int, _ function: Nonlinearity, z: inout [Float], y: inout [Float]
    ) {
        guard kernels == .blas || function.derivativeNeedsArgument else {
            return unsafe own(
                .plain, size, x, fromMemory: fromMemory, parameters, startB: weights, bias: bias,
                function: function, into: &y)
        }
        if function.derivativeNeedsArgument {
            multiply(.plain, size, x, parameters, startB: weights, into: &z)
            Elementwise.activate(
                function, bias: parameters, startBias: bias, rows: size.rows,
                columns: size.columns, z: &z, a: &y, kernels: kernels)
        } else {
            multiply(.plain, size, x, parameters, startB: weights, into: &y)
            Elementwise.activate(
                function, bias: parameters, startBias: bias, rows: size.rows,
                columns: size.columns, inPlace: &y, kernels: kernels)
        }
    }

    /// `y[columns]`, from element `start` on: the sums of the columns of `x[rows, columns]`.
    package func sumColumns(
        _ x: [Float], rows: Int, columns: Int, into y: inout [Float], start: Int
    ) {
        precondition(columns > 0, "no column")
        Shape.check(x.count, rows: rows, columns: columns, stride: columns)
        Shape.check(y.count, from: start, rows: 1, columns: columns, stride: columns)
        // SAFETY: the arrays hold the rows and the sums, and are not empty.
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                unsafe table.functions.pointee.column_sums(
                    x.baseAddress, rows, columns, y.baseAddress.unsafelyUnwrapped + start)
            }
        }
    }

    /// `slopes` are null, or hold what the product has.
    @unsafe
    private mutating func own(
        _ form: Form, _ size: Size, _ a: Span<Float>, fromMemory: Bool = false, _ b: [Float],
        startB: Int, bias: Int? = nil, function: Nonlinearity = .identity, into c: inout [Float],
        startC: Int = 0, slopes: cm_slopes = unsafe cm_slopes()
    ) {
        let strides = Strides(form, size)
        strides.check(size, a, b, startB: startB, c, startC: startC)
        if let bias {
            Shape.check(b.count, from: bias, rows: 1, columns: size.columns, stride: size.columns)
        }
        let needed = unsafe table.functions.pointee.product_scratch(
            size.rows, size.columns, size.depth)
        if scratch.count < needed { scratch = [Float](repeating: 0, count: needed) }
        let isLeft = form == .transposedLeft
        // SAFETY: the matrices are within their arrays, which are not empty, and the scratch memory
        // is as large as the kernel asks for.
        unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                unsafe c.withUnsafeMutableBufferPointer { c in
                    unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                        let parameters = unsafe b.baseAddress.unsafelyUnwrapped
                        var product = unsafe cm_product(
                            rows: size.rows, columns: size.columns, depth: size.depth,
                            a: a.baseAddress, a_row: isLeft ? 1 : strides.a,
                            a_step: isLeft ? strides.a : 1, a_in_memory: fromMemory ? 1 : 0,
                            b: parameters + startB, b_stride: strides.b,
                            b_transposed: form == .transposedRight ? 1 : 0,
                            bias: bias.map { unsafe parameters + $0 },
                            activation: function.rawValue,
                            c: c.baseAddress.unsafelyUnwrapped + startC, c_stride: size.columns,
                            slopes: slopes)
                        unsafe table.functions.pointee.product(&product, scratch.baseAddress)
                    }
                }
            }
        }
    }

    /// From row to row of the factors as they are stored.
    struct Strides {
        let a: Int
        let b: Int

        init(_ form: Form, _ size: Size) {
            a = form == .transposedLeft ? size.rows : size.depth
            b = form == .transposedRight ? size.depth : size.columns
        }

        /// Refuses matrices that are not within their arrays.
        func check(
            _ size: Size, _ a: Span<Float>, _ b: [Float], startB: Int, _ c: [Float], startC: Int
        ) {
            Shape.check(
                a.count, rows: size.rows * size.depth / self.a, columns: self.a, stride: self.a)
            Shape.check(
                b.count, from: startB, rows: size.depth * size.columns / self.b, columns: self.b,
                stride: self.b)
            Shape.check(
                c.count, from: startC, rows: size.rows, columns: size.columns,
                stride: size.columns)
        }
    }
}
