#!/bin/sh
# Writes onnx.pb.swift from onnx.proto. Needs protoc and protoc-gen-swift on the PATH: the second from
# `swift build --product protoc-gen-swift` in a checkout of swift-protobuf 1.39.0.
set -eu
cd "$(dirname "$0")"
protoc --swift_out=. --swift_opt=Visibility=Package --swift_opt=UseAccessLevelOnImports=true onnx.proto
