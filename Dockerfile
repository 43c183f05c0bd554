FROM rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY . .
RUN cargo build --release --locked

# Make the first account before you publish the port: see the README.
FROM debian:trixie-slim
RUN useradd --system --uid 10001 chatkeep && install -d -o chatkeep -m 700 /data
COPY --from=build /src/target/release/chatkeep /usr/local/bin/chatkeep
USER chatkeep
WORKDIR /data
VOLUME /data
ENV CHATKEEP_LISTEN=0.0.0.0:8642 CHATKEEP_DATA_DIR=/data
EXPOSE 8642
ENTRYPOINT ["chatkeep"]
CMD ["serve"]
