# The server's image: docker build --build-arg BACKEND=s3 . (make docker-build-s3; without an engine: make image-s3).
# BACKEND is fs, s3, gcs, azure or all: what the program has linked besides files, SQLite and memory.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG BACKEND=all
ARG VERSION=devel
ARG TARGETARCH=amd64
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make server BACKEND=${BACKEND} VERSION=${VERSION} SERVER_ARCH=${TARGETARCH} SERVER=/out/fileloft
RUN mkdir -p /root-fs/etc/ssl/certs /root-fs/tmp /data \
 && cp /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ \
 && echo 'fileloft:x:65532:65532:fileloft:/var/lib/fileloft:/sbin/nologin' > /root-fs/etc/passwd \
 && echo 'fileloft:x:65532:' > /root-fs/etc/group \
 && chmod 1777 /root-fs/tmp && chmod 750 /data

FROM scratch
ARG BACKEND=all
ARG VERSION=devel
COPY --from=build /root-fs/ /
COPY --from=build --chown=65532:65532 /data /var/lib/fileloft
COPY --from=build /out/fileloft /fileloft
LABEL org.opencontainers.image.title=fileloft \
      org.opencontainers.image.description="A tus resumable-upload server" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.source=https://github.com/fileloft/fileloft \
      org.opencontainers.image.version=${VERSION}
# The storage that the image is for; the one with all backends starts with files.
ARG STORAGE=
ENV FILELOFT_STORAGE=${STORAGE}
USER 65532:65532
WORKDIR /var/lib/fileloft
VOLUME /var/lib/fileloft
EXPOSE 8080/tcp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/fileloft"]
