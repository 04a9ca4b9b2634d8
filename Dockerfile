# The function as an image, for those who have a container engine. `make image` builds the same without one, and a test holds
# both to the same entry point and user.
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example.com/debuggable .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS=linux
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go run ./internal/buildimage -rootfs /rootfs -platform "$TARGETOS/${TARGETARCH:-$(go env GOARCH)}"

FROM scratch
COPY --from=build /rootfs /
USER 65532:65532
ENTRYPOINT ["/debuggable"]
